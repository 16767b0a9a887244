import { sleep, withDeadline } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { NodeRun } from './fan-out.js';

export type RetryPlan = {
  /** How many times a node is tried in all. */
  passes: number;
  /** Mean time before a node is tried again, milliseconds. */
  pauseMs: number;
  /** Time one attempt may take, milliseconds; the later ones get more. */
  attemptDeadlineMs: number;
};

/** One try at a node, each harder and more patient than the one before. */
export type Attempt = {
  /** From 1. */
  number: number;
  /** A step that did not work is tried once more within the attempt. */
  repeatsSteps: boolean;
  /** Off and on instead of a reset. */
  powerCycle: boolean;
  /** What deadlines are multiplied by. */
  patience: number;
};

export const FIRST_ATTEMPT: Attempt = { number: 1, repeatsSteps: true, powerCycle: false, patience: 1 };

/**
 * Tries a node up to `passes` times. Other nodes go on meanwhile, and what it missed is sent again by the same server. A
 * failure that trying again does not cure ends it at once; the last failure is the node's.
 */
export async function inAttempts<T>(
  node: NodeRun,
  plan: RetryPlan,
  mayRetry: () => boolean,
  work: (node: NodeRun, attempt: Attempt) => Promise<T>,
): Promise<T> {
  for (let number = 1; ; number += 1) {
    const attempt: Attempt =
      number === 1 ? FIRST_ATTEMPT : { number, repeatsSteps: false, powerCycle: true, patience: 1 + 0.5 * (number - 1) };
    try {
      return await oneAttempt(node, plan, attempt, work);
    } catch (error) {
      if (node.signal.aborted || !(error instanceof Failure) || error.cure === 'person' || number >= plan.passes || !mayRetry())
        throw error;
      node.retry(`${error.message}; trying the node again (${number + 1} of ${plan.passes})`);
    }
    await sleep(plan.pauseMs * (0.5 + node.host.random()) * number, node.signal);
  }
}

/** How long an attempt that was given up may take to leave the node alone. */
const LEAVING_MS = 15_000;

async function oneAttempt<T>(
  node: NodeRun,
  plan: RetryPlan,
  attempt: Attempt,
  work: (node: NodeRun, attempt: Attempt) => Promise<T>,
): Promise<T> {
  const deadlineMs = plan.attemptDeadlineMs * attempt.patience;
  const late = (): Failure =>
    node.late(
      'attempt-deadline',
      `attempt ${attempt.number} not done within ${Math.round(deadlineMs / 1000)} s`,
      'give it more time with -t',
    );
  let working: Promise<unknown> = Promise.resolve();
  try {
    return await withDeadline(node.signal, deadlineMs, late, (signal) => {
      const running = work(node.again(attempt.number, signal), attempt);
      working = running.catch(() => {});
      return running;
    });
  } catch (error) {
    // neither the next attempt nor who gives the node up must meet this one's last deeds: a link, the reset of a node it leaves
    const patience = new AbortController();
    await Promise.race([working, sleep(LEAVING_MS, patience.signal).catch(() => {})]);
    patience.abort();
    throw error;
  }
}
