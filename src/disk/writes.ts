import { reasonOf, untilAborted } from '../util/abort.js';

/** Does planned writes, several at a time. */
export type Writes = {
  readonly stats: FlightStats;
  /** Resolves when nobody needs to wait for these bytes; throws what went wrong with them or with bytes before. */
  put(offset: number, bytes: Uint8Array): Promise<void>;
  /** The same for bytes that are all zeros. */
  putZeros(offset: number, zeros: Uint8Array): Promise<void>;
  /** Begins to write what was gathered, if anything is; throws as `put` does. */
  flush(): Promise<void>;
  /** Resolves when the bytes that were put may change; throws nothing. */
  settled(): Promise<void>;
  /** Waits until all that was put is written; throws what went wrong with it. */
  drain(): Promise<void>;
  /** Waits for what is under way; what was not begun is dropped. May come at any time, twice too. */
  close(): Promise<void>;
};

export type FlightStats = {
  /** How often the next piece had to wait for the disk. */
  blocked: number;
  /** Most pieces, and bytes in them, that were under way at once. */
  peakBuffers: number;
  peakBufferBytes: number;
};

/** Writes that are under way: never more than so many. What goes wrong with one is thrown by the next call. */
export class Flight {
  readonly stats: FlightStats = { blocked: 0, peakBuffers: 0, peakBufferBytes: 0 };
  readonly #most: number;
  readonly #signal: AbortSignal | undefined;
  readonly #underWay = new Set<Promise<void>>();
  #bytes = 0;
  #failure: Error | null = null;

  constructor(most: number, signal?: AbortSignal) {
    this.#most = most;
    this.#signal = signal;
  }

  /** Begins a write of `sizeBytes` when there is room for it. Throws what went wrong before, or the signal's reason. */
  async start(sizeBytes: number, write: () => Promise<void>): Promise<void> {
    this.check();
    if (this.#underWay.size >= this.#most) {
      this.stats.blocked++;
      while (this.#underWay.size >= this.#most) await this.#untilAborted(Promise.race(this.#underWay));
      this.check();
    }
    const work: Promise<void> = write()
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.#underWay.delete(work);
        this.#bytes -= sizeBytes;
      });
    this.#underWay.add(work);
    this.#bytes += sizeBytes;
    this.stats.peakBuffers = Math.max(this.stats.peakBuffers, this.#underWay.size);
    this.stats.peakBufferBytes = Math.max(this.stats.peakBufferBytes, this.#bytes);
  }

  /** Waits for all. Throws as `start` does. */
  async drain(): Promise<void> {
    await this.#untilAborted(Promise.all(this.#underWay));
    this.check();
  }

  /** Waits for all; throws nothing. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Nothing begins from now on. Resolves when nothing is under way any more; throws nothing. */
  async close(): Promise<void> {
    this.#failure ??= new Error('what writes was closed');
    await Promise.all(this.#underWay);
  }

  check(): void {
    if (this.#signal?.aborted) throw reasonOf(this.#signal);
    if (this.#failure) throw this.#failure;
  }

  #untilAborted<T>(promise: Promise<T>): Promise<T> {
    return this.#signal ? untilAborted(this.#signal, promise) : promise;
  }
}
