import type { Host } from '../util/host.js';
import type { Emit, EventBody, ImagingEvent } from './types.js';

export type EventSink = (event: ImagingEvent) => void;

/** Stamps events with run, time and sequence number and hands each to every sink, in order, at once. */
export function createBus(run: string, host: Pick<Host, 'now'>, sinks: readonly EventSink[]): Emit {
  let seq = 0;
  return (body: EventBody) => {
    const event: ImagingEvent = { at: host.now(), run, seq: seq++, ...body };
    for (const sink of sinks) sink(event);
  };
}
