import { messageOf } from './errors.js';

/**
 * What must be undone on every way out, last in first out. Each action runs once, at most `deadlineMs` long, and a
 * failing one does not keep the others from running.
 */
export class UndoStack {
  readonly #actions = new Map<symbol, { what: string; undo: () => Promise<void> | void }>();
  readonly #deadlineMs: number;

  constructor(deadlineMs = 5_000) {
    this.#deadlineMs = deadlineMs;
  }

  /** Remembers an action; the returned function runs it now (or does nothing when it has run). */
  push(what: string, undo: () => Promise<void> | void): () => Promise<void> {
    const key = Symbol(what);
    this.#actions.set(key, { what, undo });
    return async () => {
      const action = this.#actions.get(key);
      if (!action) return;
      this.#actions.delete(key);
      await action.undo();
    };
  }

  /** Runs everything that is left, newest first; returns what went wrong, one line each. */
  async run(): Promise<string[]> {
    const problems: string[] = [];
    for (const [key, { what, undo }] of [...this.#actions].reverse()) {
      if (!this.#actions.delete(key)) continue;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`still busy after ${this.#deadlineMs / 1000} s`)), this.#deadlineMs);
      });
      try {
        await Promise.race([undo(), late]);
      } catch (error) {
        problems.push(`${what}: ${messageOf(error)}`);
      } finally {
        clearTimeout(timer);
      }
    }
    return problems;
  }
}
