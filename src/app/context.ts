import type { Interrupted } from '../engine/interrupted.js';
import type { Host } from '../util/host.js';

/** What the application may touch of the world around it, whoever asks it for something. */
export type AppContext = {
  host: Host;
  /** Aborted with `Interrupted` when everything is to be given up, undone and reported. */
  signal: AbortSignal;
  /** The command's name and what followed it, as typed: a run is done again from it. */
  argv: readonly string[];
  /** Lets a run take the first ending signal itself: it goes to `listener`, and the second one aborts. Returns how to end that. */
  softly?: (listener: (reason: Interrupted) => void) => () => void;
};
