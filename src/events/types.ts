import type { NodeFailure, Step } from './outcome.js';

/** Version of the event stream as `--progress json` and the journal show it; grows when a field changes its meaning. */
export const EVENT_SCHEMA = 1;

/** Everything that can happen in a run, as data. `node` is always the control name (`fit07`). */
export type EventBody =
  | { type: 'run.started'; schema: number; command: string; nodes: string[]; details: Record<string, unknown> }
  | { type: 'run.note'; text: string }
  | { type: 'run.warning'; text: string }
  | { type: 'node.step'; node: string; step: Step; attempt: number }
  | { type: 'node.note'; node: string; step: Step; text: string }
  | { type: 'node.progress'; node: string; doneBytes: number; totalBytes: number }
  | { type: 'node.retry'; node: string; step: Step; reason: string }
  | ({ type: 'node.failed'; elapsedMs: number } & NodeFailure)
  | {
      type: 'node.done';
      node: string;
      elapsedMs: number;
      detail: string | null /** What did not go as wished all the same; left out when nothing. */;
      remarks?: string[];
    }
  | { type: 'node.skipped'; node: string; reason: string }
  | { type: 'server.started'; engine: string; group: string; port: number; rateBps: number; image: string }
  | { type: 'server.join'; node: string | null; address: string; clientId: number }
  | { type: 'server.leave'; node: string | null; address: string; clientId: number }
  | { type: 'server.progress'; node: string | null; address: string; askedBlocks: number; totalBlocks: number; idleMs: number }
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
