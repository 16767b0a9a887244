import type { Blame } from '../util/errors.js';

/** The steps a node goes through, over all workflows. */
export type Step =
  | 'lock'
  | 'pxe'
  | 'reset'
  | 'boot'
  | 'write'
  | 'check'
  | 'verify'
  | 'reboot' // load
  | 'stamp'
  | 'read' // save
  | 'ssh'
  | 'login'
  | 'telnet' // wait
  | 'cmc'; // power verbs

/** One node, one step that did not work out: collected, never thrown past the fan-out. */
export type NodeFailure = {
  node: string;
  step: Step;
  /** Stable kebab-case word for programs. */
  code: string;
  /** What was tried, on what, and what was seen. */
  message: string;
  /** What to do about it. */
  hint: string | null;
  /** Whose fault; missing in journals of older versions. */
  blame?: Blame;
};

export type Outcome<T> =
  | { ok: true; node: string; value: T; elapsedMs: number }
  | { ok: false; node: string; failure: NodeFailure; elapsedMs: number };
