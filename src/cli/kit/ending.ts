import { setMaxListeners } from 'node:events';
import { Interrupted } from '../../engine/interrupted.js';
import { endingSignals } from './exit.js';

/** How a command is ended from outside. */
export type Ending = {
  /** Aborted with `Interrupted`: everything is given up, undone and reported. */
  readonly signal: AbortSignal;
  abort(reason: Interrupted): void;
  /** From now on the first signal is told to `listener`, and the second one aborts; returns how to end that. */
  softly(listener: (reason: Interrupted) => void): () => void;
};

/** npm and other wrappers pass on a Ctrl-C that the terminal has sent to everybody: this close together they are one. */
const SAME_SIGNAL_MS = 500;

/** First signal: abort, so that everything is undone and reported, unless the command takes it softly. After the abort: out, at once. */
export function listenForSignals(): Ending {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // every node listens
  let soft: ((reason: Interrupted) => void) | null = null;
  let lastMs = -Infinity;
  for (const [name, code] of Object.entries(endingSignals)) {
    process.on(name, () => {
      const nowMs = performance.now();
      if (nowMs - lastMs <= SAME_SIGNAL_MS) return;
      lastMs = nowMs;
      const reason = new Interrupted(name, code);
      if (controller.signal.aborted) process.exit(code);
      const listener = soft;
      soft = null;
      if (listener) listener(reason);
      else controller.abort(reason);
    });
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    softly: (listener) => {
      soft = listener;
      return () => {
        if (soft === listener) soft = null;
      };
    },
  };
}
