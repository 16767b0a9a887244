import { writeAll } from './target.js';
import { WriteBehind } from './write-behind.js';
import { Flight, type FlightStats, type Writes } from './writes.js';

/** Writes through the page cache. The bytes handed in must not change until they are drained. */
export class BufferedWrites implements Writes {
  readonly #target: { fd: number; path: string };
  readonly #flight: Flight;
  readonly #behind: WriteBehind | null;

  /** `behind`: have it written out meanwhile. */
  constructor(target: { fd: number; path: string }, most: number, behind: boolean, signal?: AbortSignal) {
    this.#target = target;
    this.#flight = new Flight(most, signal);
    this.#behind = behind ? new WriteBehind(target.fd) : null;
  }

  get stats(): FlightStats {
    return this.#flight.stats;
  }

  put(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#flight.start(bytes.byteLength, async () => {
      await writeAll(this.#target, offset, bytes);
      await this.#behind?.wrote(offset, bytes.byteLength);
    });
  }

  putZeros(offset: number, zeros: Uint8Array): Promise<void> {
    return this.put(offset, zeros);
  }

  async flush(): Promise<void> {}

  settled(): Promise<void> {
    return this.#flight.settled();
  }

  drain(): Promise<void> {
    return this.#flight.drain();
  }

  close(): Promise<void> {
    return this.#flight.close();
  }
}
