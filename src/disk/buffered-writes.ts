import { writeAll } from './target.js';
import { Flight, type FlightStats, type Writes } from './writes.js';

/** Writes through the page cache. The bytes handed in must not change until they are drained. */
export class BufferedWrites implements Writes {
  readonly #target: { fd: number; path: string };
  readonly #flight: Flight;

  constructor(target: { fd: number; path: string }, most: number, signal?: AbortSignal) {
    this.#target = target;
    this.#flight = new Flight(most, signal);
  }

  get stats(): FlightStats {
    return this.#flight.stats;
  }

  put(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#flight.start(bytes.byteLength, () => writeAll(this.#target, offset, bytes));
  }

  async flush(): Promise<void> {}

  drain(): Promise<void> {
    return this.#flight.drain();
  }

  close(): Promise<void> {
    return this.#flight.close();
  }
}
