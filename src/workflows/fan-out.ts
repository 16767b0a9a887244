import pLimit from 'p-limit';
import type { NodeFailure, Outcome, Step } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import { childSignal, withDeadline } from '../util/abort.js';
import { Failure, messageOf, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { Interrupted } from './interrupted.js';

/** One node on its way through a workflow: its signal, its current step, and a voice of its own. */
export class NodeRun {
  readonly node: InventoryNode;
  readonly signal: AbortSignal;
  readonly host: Host;
  readonly #emit: Emit;
  step: Step | null = null;
  #lastSeen: Failure | null = null;

  constructor(node: InventoryNode, signal: AbortSignal, host: Host, emit: Emit) {
    this.node = node;
    this.signal = signal;
    this.host = host;
    this.#emit = emit;
  }

  get name(): string {
    return this.node.name;
  }

  /** Enters a step and does its work under a deadline of its own (milliseconds). */
  async at<T>(step: Step, deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted(); // a task that was given up must not go on
    this.step = step;
    this.#lastSeen = null;
    this.#emit({ type: 'node.step', node: this.name, step, attempt: 1 });
    const late = (): Failure => this.late(`${step}-deadline`, `step ${step} not done within ${seconds(deadlineMs)}`);
    return withDeadline(this.signal, deadlineMs, late, work);
  }

  /** Remembers why an attempt did not work: a deadline that ends the attempts tells it. */
  seen(failure: Failure): void {
    if (failure.code !== this.#lastSeen?.code) this.note(failure.message);
    this.#lastSeen = failure;
  }

  /** The failure of having run out of time, with what was seen last. */
  late(code: string, what: string, hint?: string): Failure {
    const last = this.#lastSeen;
    return new Failure(code, `${this.name}: ${what}${last ? `; last seen: ${last.message}` : ''}`, last?.hint ?? hint);
  }

  note(text: string): void {
    this.#emit({ type: 'node.note', node: this.name, step: this.step ?? 'cmc', text });
  }

  retry(reason: string): void {
    this.#emit({ type: 'node.retry', node: this.name, step: this.step ?? 'cmc', reason });
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
  host: Host;
  emit: Emit;
  describe?: (value: T) => string | null;
  /** Told as soon as a node has ended. */
  onOutcome?: (outcome: Outcome<unknown>) => void;
};

/**
 * The one place where work is spread over nodes: bounded, isolated (a node's failure is a value), cancellable.
 * Never rejects; an error that is not a `Failure` is a bug and is booked on its node with code `bug`.
 */
export async function fanOut<T>(nodes: readonly InventoryNode[], options: FanOutOptions<T>, task: (node: NodeRun) => Promise<T>): Promise<Outcome<T>[]> {
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
  const run = new NodeRun(node, child.signal, host, emit);
  const late = (): Failure => run.late('node-deadline', `not done within its ${seconds(options.nodeDeadlineMs)}`, 'give it more time with -t');
  try {
    options.signal.throwIfAborted();
    const value = await withDeadline(child.signal, options.nodeDeadlineMs, late, (signal) => {
      signal.addEventListener('abort', () => child.abort(signal.reason), { once: true });
      return task(run);
    });
    const elapsedMs = Math.round(host.monotonicMs() - startedMs);
    emit({ type: 'node.done', node: node.name, elapsedMs, detail: options.describe?.(value) ?? null });
    return { ok: true, node: node.name, value, elapsedMs };
  } catch (error) {
    child.abort(error);
    const elapsedMs = Math.round(host.monotonicMs() - startedMs);
    const failure = toFailure(node.name, run.step ?? options.firstStep, error);
    emit({ type: 'node.failed', ...failure, elapsedMs });
    return { ok: false, node: node.name, failure, elapsedMs };
  } finally {
    child.release();
  }
}

function toFailure(node: string, step: Step, error: unknown): NodeFailure {
  if (error instanceof Failure) {
    const message = error.message.startsWith(`${node}:`) ? error.message.slice(node.length + 2) : error.message;
    return { node, step, code: error.code, message, hint: error.hint ?? null };
  }
  if (error instanceof UserError) return { node, step, code: error.kind, message: error.message, hint: error.hint ?? null };
  if (error instanceof Interrupted) return { node, step, code: 'interrupted', message: error.message, hint: null };
  const stack = error instanceof Error && error.stack ? error.stack : messageOf(error);
  return { node, step, code: 'bug', message: stack, hint: "this is a defect of imaging itself: please report it with the stack in the run's log" };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
