import type { Blame } from '../util/errors.js';
import type { TargetResult } from './results.js';
import type { LeftBehind, StepFacts, TargetKind } from './work.js';

/** Version of the event stream as `--progress json` and the journal show it; grows when a field changes its meaning. */
export const EVENT_SCHEMA = 2;

/** Everything that can happen in a run, as data. `target` is the name of what is worked on: `fit07`, `sdb`, a job. */
export type EventBody =
  | {
      type: 'run.started';
      schema: number;
      command: string;
      kind: TargetKind;
      targets: string[];
      /** The steps that targets go through, with what is to be known of them. */
      steps: StepFacts[];
      leftBehind: LeftBehind[];
      /** The plan. */
      details: Record<string, unknown>;
    }
  | { type: 'run.note'; text: string }
  | { type: 'run.warning'; text: string }
  | { type: 'target.step'; target: string; step: string; attempt: number }
  | { type: 'target.note'; target: string; step: string; text: string }
  | { type: 'target.progress'; target: string; doneBytes: number; totalBytes: number }
  | { type: 'target.retry'; target: string; step: string; reason: string }
  | {
      type: 'target.failed';
      target: string;
      step: string;
      code: string;
      message: string;
      hint: string | null;
      blame: Blame;
      elapsedMs: number;
    }
  | {
      type: 'target.done';
      target: string;
      elapsedMs: number;
      /** Null when there is nothing to tell but that it is done. */
      result: TargetResult | null;
      /** What did not go as wished all the same; left out when nothing. */
      remarks?: string[];
    }
  | { type: 'target.skipped'; target: string; reason: string }
  | { type: 'server.started'; engine: string; group: string; port: number; rateBps: number; image: string }
  | { type: 'server.join'; target: string | null; address: string; clientId: number }
  | { type: 'server.leave'; target: string | null; address: string; clientId: number }
  | { type: 'server.progress'; target: string | null; address: string; askedBlocks: number; totalBlocks: number; idleMs: number }
  | {
      type: 'server.rate';
      port: number;
      rateBps: number;
      sentBlocks: number;
      repeatedBlocks: number;
      reason: 'measured' | 'backed-off' | 'climbing';
    }
  | { type: 'server.stopped'; port: number; sentBlocks: number; repeatedBlocks: number }
  | { type: 'run.interrupted'; signal: string; then: 'finish' | 'stop' }
  | { type: 'run.failed'; code: string; message: string; hint: string | null }
  | { type: 'run.finished'; ok: string[]; failed: string[]; skipped: string[]; exitCode: number; elapsedMs: number };

/** One event as it is journaled: `at` in milliseconds since 1970, `seq` counts from 0 without gaps within a run. */
export type ImagingEvent = { at: number; run: string; seq: number } & EventBody;

export type Emit = (event: EventBody) => void;
