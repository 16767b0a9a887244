import { settledWithin, sleep, withDeadline } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { Target, TargetRun } from './target-run.js';

export type RetryPlan = {
  /** How many times a target is tried in all. */
  passes: number;
  /** Mean time before a target is tried again, milliseconds. */
  pauseMs: number;
  /** Time one attempt may take, milliseconds; the later ones get more. */
  attemptDeadlineMs: number;
};

/** One try at a target, each more patient than the one before. */
export type Attempt = {
  /** From 1. */
  number: number;
  /** A step that did not work is tried once more within the attempt. */
  repeatsSteps: boolean;
  /** What deadlines are multiplied by. */
  patience: number;
};

export const FIRST_ATTEMPT: Attempt = { number: 1, repeatsSteps: true, patience: 1 };

/**
 * Tries a target up to `passes` times; the others go on meanwhile. A failure that trying again does not cure ends it at once;
 * the last failure is the target's.
 */
export async function inAttempts<T extends Target, S extends string, R>(
  run: TargetRun<T, S>,
  plan: RetryPlan,
  mayRetry: () => boolean,
  work: (run: TargetRun<T, S>, attempt: Attempt) => Promise<R>,
): Promise<R> {
  for (let number = 1; ; number += 1) {
    const attempt: Attempt = number === 1 ? FIRST_ATTEMPT : { number, repeatsSteps: false, patience: 1 + 0.5 * (number - 1) };
    try {
      return await oneAttempt(run, plan, attempt, work);
    } catch (error) {
      if (run.signal.aborted || !(error instanceof Failure) || error.cure === 'person' || number >= plan.passes || !mayRetry()) throw error;
      run.retry(`${error.message}; trying it again (${number + 1} of ${plan.passes})`);
    }
    await sleep(plan.pauseMs * (0.5 + run.host.random()) * number, run.signal);
  }
}

/** How long an attempt that was given up may take to leave the target alone. */
const LEAVING_MS = 15_000;

async function oneAttempt<T extends Target, S extends string, R>(
  run: TargetRun<T, S>,
  plan: RetryPlan,
  attempt: Attempt,
  work: (run: TargetRun<T, S>, attempt: Attempt) => Promise<R>,
): Promise<R> {
  const deadlineMs = plan.attemptDeadlineMs * attempt.patience;
  const late = (): Failure =>
    run.late(
      'attempt-deadline',
      `attempt ${attempt.number} not done within ${Math.round(deadlineMs / 1000)} s`,
      'give it more time with -t',
    );
  let working: Promise<unknown> = Promise.resolve();
  try {
    return await withDeadline(run.signal, deadlineMs, late, (signal) => {
      const running = work(run.again(attempt.number, signal), attempt);
      working = running.catch(() => {});
      return running;
    });
  } catch (error) {
    // neither the next attempt nor who gives the target up must meet this one's last deeds
    await settledWithin(LEAVING_MS, working);
    throw error;
  }
}
