import type { Outcome } from '../events/outcome.js';
import { childSignal } from '../util/abort.js';
import { fail } from './failures.js';

/** How many targets are enough; the rest is given up a little later. */
export type Quorum = {
  /** Aborted, with a Failure `given-up`, when it is time to give up the rest. */
  signal: AbortSignal;
  /** Whether it still makes sense to try a target again. */
  mayRetry: () => boolean;
  onOutcome: (outcome: Outcome<unknown>) => void;
  close: () => void;
};

/** The rest gets so much of the time that has passed, and at least so many milliseconds, to end well too. */
const GRACE_SHARE = 0.2;
const MIN_GRACE_MS = 2_000;

/** The number of targets that a share (0 to 1) of `total` means, at least 1. */
export function enoughOf(share: number, total: number): number {
  return Math.max(1, Math.ceil(share * total - 1e-9));
}

/** Watches for `enough` good outcomes; with null, everybody gets all their time. `words`: what targets are called, and what to do about those given up. */
export function createQuorum(
  enough: number | null,
  run: AbortSignal,
  monotonicMs: () => number,
  words: { nouns: string; hint: string },
): Quorum {
  const child = childSignal(run);
  const startedMs = monotonicMs();
  let good = 0;
  let timer: NodeJS.Timeout | undefined;
  const reached = (): boolean => enough !== null && good >= enough;
  return {
    signal: child.signal,
    mayRetry: () => !reached(),
    onOutcome: ({ ok }) => {
      if (ok) good += 1;
      if (!reached() || timer) return;
      const graceMs = Math.max(MIN_GRACE_MS, GRACE_SHARE * (monotonicMs() - startedMs));
      timer = setTimeout(
        () => child.abort(fail('given-up', `${good} ${words.nouns} are done, which is enough (--min-success)`, words.hint)),
        graceMs,
      );
    },
    close: () => {
      clearTimeout(timer);
      child.release();
    },
  };
}
