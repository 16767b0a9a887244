import { messageOf } from './errors.js';

type Action = { what: string; undo: () => Promise<void> | void; done: Promise<void> | null };

/**
 * What must be undone on every way out, last in first out. Each action runs once, at most `deadlineMs` long, and a
 * failing one does not keep the others from running.
 */
export class UndoStack {
  readonly #actions = new Set<Action>();
  readonly #deadlineMs: number;

  constructor(deadlineMs = 5_000) {
    this.#deadlineMs = deadlineMs;
  }

  /** Remembers an action; the returned function runs it now, or waits for it when it runs already. */
  push(what: string, undo: () => Promise<void> | void): () => Promise<void> {
    const action: Action = { what, undo, done: null };
    this.#actions.add(action);
    return () => this.#perform(action);
  }

  /** Runs everything that is left, newest first, and waits for what is under way; returns what went wrong, one line each. */
  async run(): Promise<string[]> {
    const problems: string[] = [];
    for (const action of [...this.#actions].reverse()) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`still busy after ${this.#deadlineMs / 1000} s`)), this.#deadlineMs);
      });
      try {
        await Promise.race([this.#perform(action), late]);
      } catch (error) {
        problems.push(`${action.what}: ${messageOf(error)}`);
      } finally {
        clearTimeout(timer);
      }
    }
    return problems;
  }

  /** An action stays on the stack until it is done: who ends the run meanwhile must still wait for it. */
  #perform(action: Action): Promise<void> {
    action.done ??= (async () => {
      try {
        await action.undo();
      } finally {
        this.#actions.delete(action);
      }
    })();
    return action.done;
  }
}
