import { BlockMap } from './block-map.js';

/** A chunk on its way in. */
export type ChunkBuffer = {
  readonly number: number;
  chunk: number;
  /** Number of blocks the chunk has. */
  size: number;
  readonly have: BlockMap;
  /** Blocks somebody has asked for since they last could have come by. */
  readonly asked: BlockMap;
  askedAt: number;
  /** When to ask for what is missing; Infinity: not planned. */
  repairAt: number;
  /** A block that came twice, with different contents; null: none did. */
  conflict: number | null;
  /** Earlier blocks of the chunk had to be dropped for lack of room: the first to go when room is needed again. */
  dubious: boolean;
};

/** A bounded set of chunk buffers, found by chunk. Buffers are numbered from 0. */
export class ChunkBuffers {
  readonly #free: ChunkBuffer[] = [];
  readonly #filling = new Map<number, ChunkBuffer>();
  readonly #full = new Map<number, ChunkBuffer>();
  #latest: ChunkBuffer | null = null;

  constructor(count: number) {
    for (let number = count - 1; number >= 0; number--) {
      this.#free.push({
        number,
        chunk: -1,
        size: 0,
        have: new BlockMap(),
        asked: new BlockMap(),
        askedAt: -Infinity,
        repairAt: Infinity,
        conflict: null,
        dubious: false,
      });
    }
  }

  get freeCount(): number {
    return this.#free.length;
  }

  get fillingCount(): number {
    return this.#filling.size;
  }

  /** The chunks being filled. */
  filling(): IterableIterator<ChunkBuffer> {
    return this.#filling.values();
  }

  find(chunk: number): ChunkBuffer | undefined {
    if (this.#latest?.chunk === chunk) return this.#latest;
    const buffer = this.#filling.get(chunk);
    if (buffer) this.#latest = buffer;
    return buffer;
  }

  /** A buffer for a new chunk, or null when all are taken. */
  take(chunk: number, size: number, dubious: boolean): ChunkBuffer | null {
    const buffer = this.#free.pop();
    if (!buffer) return null;
    Object.assign(buffer, { chunk, size, dubious, askedAt: -Infinity, repairAt: Infinity, conflict: null });
    buffer.have.clear();
    buffer.asked.clear();
    this.#filling.set(chunk, buffer);
    return buffer;
  }

  /** Gives up a dubious chunk, if there is one; returns it. */
  recycleDubious(): number | null {
    for (const buffer of this.#filling.values()) {
      if (!buffer.dubious) continue;
      this.#filling.delete(buffer.chunk);
      const chunk = buffer.chunk;
      this.#release(buffer);
      return chunk;
    }
    return null;
  }

  /** The chunk is complete: it stays taken until `free`. */
  complete(buffer: ChunkBuffer): void {
    this.#filling.delete(buffer.chunk);
    this.#full.set(buffer.number, buffer);
    if (this.#latest === buffer) this.#latest = null;
  }

  /** The chunk in this buffer has been used up. */
  free(number: number): void {
    const buffer = this.#full.get(number);
    if (!buffer || !this.#full.delete(number)) return;
    this.#release(buffer);
  }

  #release(buffer: ChunkBuffer): void {
    if (this.#latest === buffer) this.#latest = null;
    buffer.chunk = -1;
    this.#free.push(buffer);
  }
}
