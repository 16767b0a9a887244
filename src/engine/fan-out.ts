import pLimit from 'p-limit';
import type { Outcome, TargetFailure } from '../events/outcome.js';
import type { TargetResult } from '../events/results.js';
import type { Emit } from '../events/types.js';
import { childSignal, withDeadline } from '../util/abort.js';
import { Failure, messageOf, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { surroundingsError } from '../util/surroundings.js';
import { Interrupted } from './interrupted.js';
import { type Course, seconds, type Target, TargetRun } from './target-run.js';

export type FanOutOptions<R, S extends string> = {
  /** How many targets are worked on at once. */
  concurrency: number;
  /** Total time one target may take, from its own start. */
  targetDeadlineMs: number;
  /** The step a failure is booked on that comes before the first step. */
  firstStep: S;
  signal: AbortSignal;
  /** A soft interrupt: ends the targets that have nothing to finish. */
  finishing?: AbortSignal | undefined;
  host: Host;
  emit: Emit;
  /** What the events say of a target that is done; nothing when missing. */
  result?: (value: R) => TargetResult | null;
  /** What did not go as wished, though the target is done: each deserves a line in the final table. */
  remarks?: (value: R) => readonly string[];
  /** Told as soon as a target has ended. */
  onOutcome?: ((outcome: Outcome<unknown>) => void) | undefined;
};

/**
 * The one place where work is spread over targets: bounded, isolated (a target's failure is a value), cancellable.
 * Never rejects; an error that is not a `Failure` is a bug and is booked on its target with code `bug`.
 */
export async function fanOut<T extends Target, R, S extends string>(
  targets: readonly T[],
  options: FanOutOptions<R, NoInfer<S>>,
  task: (run: TargetRun<T, S>) => Promise<R>,
): Promise<Outcome<R>[]> {
  const limit = pLimit(Math.max(1, options.concurrency));
  return Promise.all(
    targets.map((target) =>
      limit(async () => {
        const outcome = await runOne(target, options, task);
        options.onOutcome?.(outcome);
        return outcome;
      }),
    ),
  );
}

async function runOne<T extends Target, R, S extends string>(
  target: T,
  options: FanOutOptions<R, S>,
  task: (run: TargetRun<T, S>) => Promise<R>,
): Promise<Outcome<R>> {
  const { emit, host } = options;
  const { name } = target;
  const startedMs = host.monotonicMs();
  const elapsed = (): number => Math.round(host.monotonicMs() - startedMs);
  const child = childSignal(options.signal);
  const course: Course = { finishing: options.finishing, mustFinish: false };
  const run = new TargetRun(target, { ...options, signal: child.signal, course });
  const onFinishing = (): void => {
    if (!course.mustFinish) child.abort(options.finishing?.reason);
  };
  options.finishing?.addEventListener('abort', onFinishing);
  const late = (): Failure =>
    run.late('target-deadline', `not done within its ${seconds(options.targetDeadlineMs)}`, 'give it more time with -t');
  try {
    options.signal.throwIfAborted();
    options.finishing?.throwIfAborted();
    const value = await withDeadline(child.signal, options.targetDeadlineMs, late, (signal) => {
      signal.addEventListener('abort', () => child.abort(signal.reason), { once: true });
      return task(run);
    });
    const elapsedMs = elapsed();
    const remarks = options.remarks?.(value) ?? [];
    const told = remarks.length > 0 ? { remarks: [...remarks] } : {};
    emit({ type: 'target.done', target: name, elapsedMs, result: options.result?.(value) ?? null, ...told });
    return { ok: true, target: name, value, elapsedMs };
  } catch (error) {
    child.abort(error);
    const elapsedMs = elapsed();
    const failure = toFailure(name, run.step, error);
    emit({ type: 'target.failed', ...failure, elapsedMs });
    return { ok: false, target: name, failure, elapsedMs };
  } finally {
    options.finishing?.removeEventListener('abort', onFinishing);
    child.release();
  }
}

function toFailure(target: string, step: string, thrown: unknown): TargetFailure {
  const error = surroundingsError(thrown) ?? thrown;
  if (error instanceof Failure) {
    const message = error.message.startsWith(`${target}:`) ? error.message.slice(target.length + 2) : error.message;
    return { target, step, code: error.code, message, hint: error.hint ?? null, blame: error.blame };
  }
  if (error instanceof UserError)
    return { target, step, code: error.kind, message: error.message, hint: error.hint ?? null, blame: 'site' };
  if (error instanceof Interrupted) return { target, step, code: 'interrupted', message: error.message, hint: null, blame: 'run' };
  const stack = error instanceof Error && error.stack ? error.stack : messageOf(error);
  return {
    target,
    step,
    code: 'bug',
    message: stack,
    hint: "this is a defect of imaging itself: please report it with the stack in the run's log",
    blame: 'run',
  };
}
