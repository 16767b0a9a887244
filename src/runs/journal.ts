import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { applyEvent, emptyState, type RunState } from '../events/reducer.js';
import type { ImagingEvent } from '../events/types.js';
import { isObject } from './json-file.js';

const READ_BYTES = 1 << 16;

/**
 * Reads the events of a run as they come: each call gives those that were written since the last one. A line that is
 * not whole yet waits; one that a power cut has torn is passed over.
 */
export class JournalReader {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #offset = 0;
  #rest: Buffer[] = [];

  /** Throws the system's error when there is no journal. */
  constructor(folder: string) {
    this.#fd = openSync(join(folder, 'events.jsonl'), 'r');
  }

  /** What is there by now, at most about `READ_BYTES` at a time, so that a long journal never is in memory whole. */
  *more(): Generator<ImagingEvent> {
    for (;;) {
      const count = readSync(this.#fd, this.#buffer, 0, READ_BYTES, this.#offset);
      if (count === 0) return;
      this.#offset += count;
      let start = 0;
      for (let end = this.#buffer.indexOf(10); end >= 0 && end < count; end = this.#buffer.indexOf(10, start)) {
        const event = parseEvent(Buffer.concat([...this.#rest, this.#buffer.subarray(start, end)]).toString('utf8'));
        this.#rest = [];
        start = end + 1;
        if (event) yield event;
      }
      if (start < count) this.#rest.push(Buffer.from(this.#buffer.subarray(start, count)));
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Folds all events of a run; an empty state when it has none. */
export function foldJournal(folder: string): RunState {
  const state = emptyState();
  for (const event of readJournal(folder)) applyEvent(state, event);
  return state;
}

/** All events of a run that are there, in order. */
export function* readJournal(folder: string): Generator<ImagingEvent> {
  let reader: JournalReader;
  try {
    reader = new JournalReader(folder);
  } catch {
    return; // killed before its first event
  }
  try {
    yield* reader.more();
  } finally {
    reader.close();
  }
}

function parseEvent(line: string): ImagingEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? value : null;
  } catch {
    return null;
  }
}

/** As far as it is looked at: the fields of a type are those that this very program wrote. */
function isEvent(value: unknown): value is ImagingEvent {
  return isObject(value) && typeof value.type === 'string' && typeof value.at === 'number' && typeof value.seq === 'number' && typeof value.run === 'string';
}
