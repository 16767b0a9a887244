import type { ReadStream } from 'node:tty';
import type { EventSink } from '../events/bus.js';
import type { Leaving } from './view.js';

/** Where progress goes: `sink` takes the events, `close` gives the terminal back; it may be called twice. */
export type Monitor = { sink: EventSink; close(): Promise<void> };

/** What a person at a live screen can do. */
export type Controls = {
  /** Where keys come from; null: there are none. */
  stdin: ReadStream | null;
  leaving: Leaving;
  /** The person wants to leave, and was asked when that costs something. */
  onLeave(): void;
  /** The last `count` lines of what a target has said, harmless for a terminal. */
  log(target: string, count: number): string[];
};

export const noControls: Controls = { stdin: null, leaving: 'at-once', onLeave: () => {}, log: () => [] };
