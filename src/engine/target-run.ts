import type { Emit } from '../events/types.js';
import { withDeadline } from '../util/abort.js';
import type { Failure } from '../util/errors.js';
import { type EngineCode, fail } from './failures.js';
import type { Host } from '../util/host.js';

/** What a run works on: anything that has a name of its own in the run. */
export type Target = { readonly name: string };

/** What a soft interrupt finds a target at; all tries at the target share it. */
export type Course = { readonly finishing: AbortSignal | undefined; mustFinish: boolean };

export type TargetRunOptions<S extends string> = {
  signal: AbortSignal;
  host: Host;
  emit: Emit;
  /** The step that what comes before the first step is booked on. */
  firstStep: S;
  course?: Course;
};

/** One target on its way through a workflow with the steps `S`: its signal, its current step, and a voice of its own. */
export class TargetRun<T extends Target, S extends string> {
  readonly target: T;
  readonly signal: AbortSignal;
  readonly host: Host;
  /** Which try at the target this is, from 1. */
  readonly attempt: number;
  readonly #options: TargetRunOptions<S>;
  readonly #course: Course;
  readonly #parent: TargetRun<T, S> | null;
  #step: S;
  #lastSeen: Failure | null = null;

  constructor(target: T, options: TargetRunOptions<S>, attempt = 1, parent: TargetRun<T, S> | null = null) {
    this.target = target;
    this.signal = options.signal;
    this.host = options.host;
    this.attempt = attempt;
    this.#options = options;
    this.#course = options.course ?? { finishing: undefined, mustFinish: false };
    this.#parent = parent;
    this.#step = options.firstStep;
  }

  get name(): string {
    return this.target.name;
  }

  /** The step it is at; failures are booked on it. */
  get step(): S {
    return this.#step;
  }

  /** The same target, tried the `attempt`th time, until `signal` aborts. */
  again(attempt: number, signal: AbortSignal): TargetRun<T, S> {
    return new TargetRun(this.target, { ...this.#options, course: this.#course, signal, firstStep: this.#step }, attempt, this);
  }

  /** Whether a soft interrupt has come: what was begun is brought to its end, nothing new is begun. */
  get isFinishing(): boolean {
    return this.#course.finishing?.aborted === true;
  }

  /** From here to `mayStop` a soft interrupt lets the target go on. Throws the interrupt's reason when it has come already. */
  mustFinish(): void {
    this.signal.throwIfAborted();
    this.#course.mustFinish = true;
  }

  /** What had to be brought to its end is. Throws the reason of a soft interrupt that has come meanwhile. */
  mayStop(): void {
    this.#course.finishing?.throwIfAborted();
    this.#course.mustFinish = false;
  }

  /** Enters a step and does its work under a deadline of its own (milliseconds). */
  async at<R>(step: S, deadlineMs: number, work: (signal: AbortSignal) => Promise<R>): Promise<R> {
    this.signal.throwIfAborted(); // a task that was given up must not go on
    this.#enter(step);
    this.#options.emit({ type: 'target.step', target: this.name, step, attempt: this.attempt });
    const late = (): Failure => this.late(`${step}-deadline`, `step ${step} not done within ${seconds(deadlineMs)}`);
    return withDeadline(this.signal, deadlineMs, late, work);
  }

  #enter(step: S): void {
    this.#step = step;
    this.#lastSeen = null;
    if (this.#parent) this.#parent.#enter(step);
  }

  /** Remembers why an attempt did not work: a deadline that ends the attempts tells it. */
  seen(failure: Failure): void {
    if (failure.code !== this.#lastSeen?.code) this.note(failure.message);
    this.#remember(failure);
  }

  #remember(failure: Failure): void {
    this.#lastSeen = failure;
    if (this.#parent) this.#parent.#remember(failure);
  }

  /** The failure of having run out of time, with what was seen last. */
  late(code: EngineCode, what: string, hint?: string): Failure {
    const last = this.#lastSeen;
    return fail(code, `${this.name}: ${what}${last ? `; last seen: ${last.message}` : ''}`, last?.hint ?? hint);
  }

  note(text: string): void {
    this.#options.emit({ type: 'target.note', target: this.name, step: this.#step, text });
  }

  /** Something the person should know although the target goes on. */
  warn(text: string): void {
    this.#options.emit({ type: 'run.warning', text: `${this.name}: ${text}` });
  }

  retry(reason: string): void {
    this.#options.emit({ type: 'target.retry', target: this.name, step: this.#step, reason });
  }

  progress(doneBytes: number, totalBytes: number): void {
    this.#options.emit({ type: 'target.progress', target: this.name, doneBytes, totalBytes });
  }
}

/** `0.5 s`, `20 s`. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
