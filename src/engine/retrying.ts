import { sleep } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { NodeRun } from './fan-out.js';

export type RetryOptions = {
  /** Mean time between two attempts, milliseconds, once they have become rare. */
  backoffMs: number;
  /** Told after each attempt that ended, however it did. */
  onTried?: ((node: string) => void) | undefined;
};

/** A pause that a peer makes necessary: at least `fromMs`, half as long again each time, up to `toMs`. */
type Patience = { fromMs: number; growth: number; toMs: number };

/**
 * OpenSSH 9.8 and later counts 5 s for each connection that fails to authenticate and 1 s for one that does not try, and
 * shuts an address out from 15 s on: for everybody on this machine. Time takes off as much as it lasts.
 */
const PATIENCE: Readonly<Record<string, Patience>> = {
  'ssh-auth-failed': { fromMs: 15_000, growth: 1.25, toMs: 60_000 },
  'ssh-no-algorithm': { fromMs: 15_000, growth: 1.25, toMs: 60_000 },
  'ssh-shut-out': { fromMs: 5_000, growth: 1.25, toMs: 15_000 },
  'ssh-closed': { fromMs: 1_000, growth: 1.5, toMs: 5_000 },
  'ssh-protocol': { fromMs: 1_000, growth: 1.5, toMs: 5_000 },
};

/** How long to wait for an sshd after the `times`th failure of this kind in a row, milliseconds; 0: nothing makes it necessary. */
export function sshPatienceMs(code: string, times: number): number {
  const patience = PATIENCE[code];
  return patience === undefined ? 0 : Math.min(patience.toMs, patience.fromMs * patience.growth ** (times - 1));
}

/** Ends the attempts at once, as its failure. */
export class Final extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/**
 * Attempts until one works: the first again soon, then ever more slowly up to `backoffMs` on average, with jitter so that
 * many nodes do not knock in step. What was seen last goes into the message of the deadline that ends it.
 */
export async function retrying<T>(
  node: NodeRun,
  { backoffMs, onTried }: RetryOptions,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  let pauseMs = Math.min(100, backoffMs);
  const times = new Map<string, number>();
  for (;;) {
    let atLeastMs: number;
    try {
      const result = await attempt();
      onTried?.(node.name);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const failure = error instanceof Final ? error.failure : error;
      if (!(failure instanceof Failure)) throw failure;
      onTried?.(node.name);
      if (error instanceof Final) throw failure;
      node.seen(failure);
      times.set(failure.code, (times.get(failure.code) ?? 0) + 1);
      atLeastMs = sshPatienceMs(failure.code, times.get(failure.code) ?? 1) * (1 + 0.2 * node.host.random());
    }
    await sleep(Math.max(atLeastMs, pauseMs * (0.5 + node.host.random())), signal);
    pauseMs = Math.min(backoffMs, pauseMs * 1.5);
  }
}
