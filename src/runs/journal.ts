import { closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { applyEvent, emptyState, type RunState } from '../events/reducer.js';
import { isEvent } from '../events/is-event.js';
import type { ImagingEvent } from '../events/types.js';
import { systemCode, UserError, messageOf } from '../util/errors.js';
import { parseJson } from '../util/json.js';
import { currentEvent } from './old-schema.js';
import { openRegular } from '../util/owned-file.js';

const READ_BYTES = 1 << 16;
/** No event is longer: a line that is, is passed over. */
const MAX_LINE_BYTES = 1 << 20;
/** No run writes more: what somebody put behind it, perhaps nothing but a hole in the file, is not read. */
const MAX_JOURNAL_BYTES = 1 << 30;

/**
 * Reads the events of a run as they come: each call gives those that were written since the last one. A line that is
 * not whole yet waits; one that a power cut has torn is passed over, and so is one longer than any of ours.
 */
export class JournalReader {
  readonly #folder: string;
  readonly #fd: number;
  readonly #maxBytes: number;
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #offset = 0;
  #rest: Buffer[] = [];
  #restBytes = 0;

  /** Throws a UserError `environment` when there is no journal, or it cannot be read. */
  constructor(folder: string, maxBytes = MAX_JOURNAL_BYTES) {
    this.#maxBytes = maxBytes;
    this.#fd = reading(folder, () => openRegular(join(folder, 'events.jsonl')));
    this.#folder = folder;
  }

  /** What is there by now, at most about `READ_BYTES` at a time, so that a long journal never is in memory whole. */
  *more(): Generator<ImagingEvent> {
    for (;;) {
      const count = reading(this.#folder, () => readSync(this.#fd, this.#buffer, 0, READ_BYTES, this.#offset));
      if (count === 0 || this.#offset > this.#maxBytes) return;
      this.#offset += count;
      let start = 0;
      for (let end = this.#buffer.indexOf(10); end >= 0 && end < count; end = this.#buffer.indexOf(10, start)) {
        const event =
          this.#restBytes > MAX_LINE_BYTES
            ? null
            : parseEvent(Buffer.concat([...this.#rest, this.#buffer.subarray(start, end)]).toString('utf8'));
        this.#rest = [];
        this.#restBytes = 0;
        start = end + 1;
        if (event) yield event;
      }
      this.#restBytes += count - start;
      if (this.#restBytes > MAX_LINE_BYTES) this.#rest = [];
      else if (start < count) this.#rest.push(Buffer.from(this.#buffer.subarray(start, count)));
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Folds all events of a run; an empty state when it has none. Throws as `readJournal` does. */
export function foldJournal(folder: string): RunState {
  const state = emptyState();
  for (const event of readJournal(folder)) applyEvent(state, event);
  return state;
}

/** All events of a run that are there, in order; none when it has no journal. Throws a UserError `environment` when that cannot be read. */
export function* readJournal(folder: string): Generator<ImagingEvent> {
  let reader: JournalReader;
  try {
    reader = new JournalReader(folder);
  } catch (error) {
    if (error instanceof UserError && systemCode(error.cause) === 'ENOENT') return; // killed before its first event
    throw error;
  }
  try {
    yield* reader.more();
  } finally {
    reader.close();
  }
}

function parseEvent(line: string): ImagingEvent | null {
  const value = currentEvent(parseJson(line));
  return isEvent(value) ? value : null;
}

function reading<T>(folder: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new UserError(
      'environment',
      `the events of the run in ${folder} cannot be read: ${messageOf(cause)}`,
      'its plan and result may still be there: imaging-runs list',
      { cause },
    );
  }
}
