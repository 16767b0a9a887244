import type { EventSink } from '../events/bus.js';

/** Where progress goes: `sink` takes the events, `close` gives the terminal back; it may be called twice. */
export type Monitor = { sink: EventSink; close(): Promise<void> };
