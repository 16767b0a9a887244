import pLimit from 'p-limit';
import type { NodeFailure, Outcome, Step } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import { childSignal, withDeadline } from '../util/abort.js';
import { Failure, messageOf, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { surroundingsError } from '../util/surroundings.js';
import { Interrupted } from './interrupted.js';
import { type EngineCode, fail } from './failures.js';

/** What a soft interrupt finds a node at; all tries at the node share it. */
type Course = { readonly finishing: AbortSignal | undefined; mustFinish: boolean };

/** One node on its way through a workflow: its signal, its current step, and a voice of its own. */
export class NodeRun {
  readonly node: InventoryNode;
  readonly signal: AbortSignal;
  readonly host: Host;
  readonly #emit: Emit;
  /** Which try at the node this is, from 1. */
  readonly attempt: number;
  readonly #parent: NodeRun | null;
  readonly #course: Course;
  #step: Step | null = null;
  #lastSeen: Failure | null = null;

  constructor(
    node: InventoryNode,
    signal: AbortSignal,
    host: Host,
    emit: Emit,
    course: Course = { finishing: undefined, mustFinish: false },
    attempt = 1,
    parent: NodeRun | null = null,
  ) {
    this.node = node;
    this.signal = signal;
    this.host = host;
    this.attempt = attempt;
    this.#emit = emit;
    this.#parent = parent;
    this.#course = course;
  }

  get name(): string {
    return this.node.name;
  }

  /** The step it is at; failures are booked on it. */
  get step(): Step | null {
    return this.#step;
  }

  /** The same node, tried the `attempt`th time, until `signal` aborts. */
  again(attempt: number, signal: AbortSignal): NodeRun {
    return new NodeRun(this.node, signal, this.host, this.#emit, this.#course, attempt, this);
  }

  /** Whether a soft interrupt has come: what was begun is brought to its end, nothing new is begun. */
  get isFinishing(): boolean {
    return this.#course.finishing?.aborted === true;
  }

  /** From here to `mayStop` a soft interrupt lets the node go on. Throws the interrupt's reason when it has come already. */
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
  async at<T>(step: Step, deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted(); // a task that was given up must not go on
    this.#enter(step);
    this.#emit({ type: 'node.step', node: this.name, step, attempt: this.attempt });
    const late = (): Failure => this.late(`${step}-deadline`, `step ${step} not done within ${seconds(deadlineMs)}`);
    return withDeadline(this.signal, deadlineMs, late, work);
  }

  #enter(step: Step): void {
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
    this.#emit({ type: 'node.note', node: this.name, step: this.#step ?? 'cmc', text });
  }

  /** Something the person should know although the node goes on. */
  warn(text: string): void {
    this.#emit({ type: 'run.warning', text: `${this.name}: ${text}` });
  }

  retry(reason: string): void {
    this.#emit({ type: 'node.retry', node: this.name, step: this.#step ?? 'cmc', reason });
  }

  progress(doneBytes: number, totalBytes: number): void {
    this.#emit({ type: 'node.progress', node: this.name, doneBytes, totalBytes });
  }
}

export type FanOutOptions<T> = {
  /** How many nodes are worked on at once. */
  concurrency: number;
  /** Total time one node may take, from its own start. */
  nodeDeadlineMs: number;
  /** The step a failure is booked on that comes before the first step. */
  firstStep: Step;
  signal: AbortSignal;
  /** A soft interrupt: ends the nodes that have nothing to finish. */
  finishing?: AbortSignal;
  host: Host;
  emit: Emit;
  describe?: (value: T) => string | null;
  /** What did not go as wished, though the node is done: each deserves a line in the final table. */
  remarks?: (value: T) => readonly string[];
  /** Told as soon as a node has ended. */
  onOutcome?: (outcome: Outcome<unknown>) => void;
};

/**
 * The one place where work is spread over nodes: bounded, isolated (a node's failure is a value), cancellable.
 * Never rejects; an error that is not a `Failure` is a bug and is booked on its node with code `bug`.
 */
export async function fanOut<T>(
  nodes: readonly InventoryNode[],
  options: FanOutOptions<T>,
  task: (node: NodeRun) => Promise<T>,
): Promise<Outcome<T>[]> {
  const limit = pLimit(Math.max(1, options.concurrency));
  return Promise.all(
    nodes.map((node) =>
      limit(async () => {
        const outcome = await runOne(node, options, task);
        options.onOutcome?.(outcome);
        return outcome;
      }),
    ),
  );
}

async function runOne<T>(node: InventoryNode, options: FanOutOptions<T>, task: (node: NodeRun) => Promise<T>): Promise<Outcome<T>> {
  const { emit, host } = options;
  const startedMs = host.monotonicMs();
  const child = childSignal(options.signal);
  const course: Course = { finishing: options.finishing, mustFinish: false };
  const run = new NodeRun(node, child.signal, host, emit, course);
  const onFinishing = (): void => {
    if (!course.mustFinish) child.abort(options.finishing?.reason);
  };
  options.finishing?.addEventListener('abort', onFinishing);
  const late = (): Failure =>
    run.late('node-deadline', `not done within its ${seconds(options.nodeDeadlineMs)}`, 'give it more time with -t');
  try {
    options.signal.throwIfAborted();
    options.finishing?.throwIfAborted();
    const value = await withDeadline(child.signal, options.nodeDeadlineMs, late, (signal) => {
      signal.addEventListener('abort', () => child.abort(signal.reason), { once: true });
      return task(run);
    });
    const elapsedMs = Math.round(host.monotonicMs() - startedMs);
    const remarks = options.remarks?.(value) ?? [];
    emit({
      type: 'node.done',
      node: node.name,
      elapsedMs,
      detail: options.describe?.(value) ?? null,
      ...(remarks.length > 0 ? { remarks: [...remarks] } : {}),
    });
    return { ok: true, node: node.name, value, elapsedMs };
  } catch (error) {
    child.abort(error);
    const elapsedMs = Math.round(host.monotonicMs() - startedMs);
    const failure = toFailure(node.name, run.step ?? options.firstStep, error);
    emit({ type: 'node.failed', ...failure, elapsedMs });
    return { ok: false, node: node.name, failure, elapsedMs };
  } finally {
    options.finishing?.removeEventListener('abort', onFinishing);
    child.release();
  }
}

function toFailure(node: string, step: Step, thrown: unknown): NodeFailure {
  const error = surroundingsError(thrown) ?? thrown;
  if (error instanceof Failure) {
    const message = error.message.startsWith(`${node}:`) ? error.message.slice(node.length + 2) : error.message;
    return { node, step, code: error.code, message, hint: error.hint ?? null, blame: error.blame };
  }
  if (error instanceof UserError) return { node, step, code: error.kind, message: error.message, hint: error.hint ?? null, blame: 'site' };
  if (error instanceof Interrupted) return { node, step, code: 'interrupted', message: error.message, hint: null, blame: 'run' };
  const stack = error instanceof Error && error.stack ? error.stack : messageOf(error);
  return {
    node,
    step,
    code: 'bug',
    message: stack,
    hint: "this is a defect of imaging itself: please report it with the stack in the run's log",
    blame: 'run',
  };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
