import { jsonText } from '../../util/json.js';
import type { NodeChange, NodeView } from '../../events/node-view.js';

/** Version of the messages; grows when a field changes its meaning. */
const WATCH_SCHEMA = 1;

/** What consumers get, as one JSON object each. `watch` is new at every start: numbers of another watch mean nothing. */
export type WatchMessage =
  | { type: 'snapshot'; schema: number; watch: string; seq: number; at: number; nodes: ({ node: string } & NodeView)[] }
  | ({ type: 'change'; watch: string } & NodeChange)
  | { type: 'lost'; watch: string; count: number };

/** So many changes are kept for who comes back or is slow. */
const MAX_KEPT = 4_096;

/** The newest changes, each as text, made once for all consumers; and whom to tell of new ones. */
export class ChangeLog {
  readonly watch: string;
  readonly #states: ReadonlyMap<string, NodeView>;
  readonly #now: () => number;
  readonly #kept: NodeChange[] = [];
  readonly #texts: string[] = [];
  readonly #listeners = new Set<() => void>();
  #seq = 0;

  constructor(watch: string, states: ReadonlyMap<string, NodeView>, now: () => number) {
    this.watch = watch;
    this.#states = states;
    this.#now = now;
  }

  /** Of the newest change; 0: there was none. */
  get seq(): number {
    return this.#seq;
  }

  add(change: NodeChange): void {
    this.#seq = change.seq;
    this.#kept.push(change);
    this.#texts.push(jsonText({ type: 'change', watch: this.watch, ...change } satisfies WatchMessage));
    if (this.#kept.length > 2 * MAX_KEPT) {
      this.#kept.splice(0, this.#kept.length - MAX_KEPT);
      this.#texts.splice(0, this.#texts.length - MAX_KEPT);
    }
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each change; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The text of change `seq`; undefined when it is kept no more, or has not happened. */
  text(seq: number): string | undefined {
    return this.#texts[this.#texts.length - 1 - (this.#seq - seq)];
  }

  /** The newest changes that are kept, from the one that follows `seq`. */
  after(seq: number): NodeChange[] {
    return seq >= this.#seq ? [] : this.#kept.slice(-(this.#seq - seq));
  }

  /** Everything as it stands after change `seq`. */
  snapshot(): string {
    const nodes = [...this.#states].map(([node, state]) => ({ node, ...state }));
    return jsonText({
      type: 'snapshot',
      schema: WATCH_SCHEMA,
      watch: this.watch,
      seq: this.#seq,
      at: this.#now(),
      nodes,
    } satisfies WatchMessage);
  }

  lost(count: number): string {
    return jsonText({ type: 'lost', watch: this.watch, count } satisfies WatchMessage);
  }

  /** The newest changes of a node, newest first. */
  changesOf(node: string, count: number): NodeChange[] {
    const found: NodeChange[] = [];
    for (let at = this.#kept.length - 1; at >= 0 && found.length < count; at -= 1) {
      const change = this.#kept[at];
      if (change?.node === node) found.push(change);
    }
    return found;
  }
}
