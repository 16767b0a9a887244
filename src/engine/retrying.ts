import { sleep } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { Target, TargetRun } from './target-run.js';

export type RetryOptions = {
  /** Mean time between two attempts, milliseconds, once they have become rare. */
  backoffMs: number;
  /** Told after each attempt that ended, however it did. */
  onTried?: ((target: string) => void) | undefined;
  /** How long the peer must be left alone after the `times`th failure with a code in a row, milliseconds; nothing when missing. */
  atLeastMs?: (code: string, times: number) => number;
};

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
 * many do not knock in step. What was seen last goes into the message of the deadline that ends it.
 */
export async function retrying<R>(
  run: TargetRun<Target, string>,
  { backoffMs, onTried, atLeastMs }: RetryOptions,
  signal: AbortSignal,
  attempt: () => Promise<R>,
): Promise<R> {
  let pauseMs = Math.min(100, backoffMs);
  const times = new Map<string, number>();
  for (;;) {
    let restMs: number;
    try {
      const result = await attempt();
      onTried?.(run.name);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const failure = error instanceof Final ? error.failure : error;
      if (!(failure instanceof Failure)) throw failure;
      onTried?.(run.name);
      if (error instanceof Final) throw failure;
      run.seen(failure);
      times.set(failure.code, (times.get(failure.code) ?? 0) + 1);
      restMs = (atLeastMs?.(failure.code, times.get(failure.code) ?? 1) ?? 0) * (1 + 0.2 * run.host.random());
    }
    await sleep(Math.max(restMs, pauseMs * (0.5 + run.host.random())), signal);
    pauseMs = Math.min(backoffMs, pauseMs * 1.5);
  }
}
