import type { Blame } from '../util/errors.js';

/** One target, one step that did not work out: collected, never thrown past the fan-out. */
export type TargetFailure = {
  target: string;
  step: string;
  /** Stable kebab-case word for programs. */
  code: string;
  /** What was tried, on what, and what was seen. */
  message: string;
  /** What to do about it. */
  hint: string | null;
  /** Whose fault it is; `node` is the target itself. */
  blame: Blame;
};

export type Outcome<T> =
  | { ok: true; target: string; value: T; elapsedMs: number }
  | { ok: false; target: string; failure: TargetFailure; elapsedMs: number };
