import type { BlockMap } from './block-map.js';
import type { ChunkBuffer, ChunkBuffers } from './chunk-buffers.js';

/**
 * Notices losses early. A server sends a chunk's blocks in ascending order, and one chunk after another: when another
 * chunk's blocks begin to flow, or earlier ones of the same, a pass over a chunk has ended, and what it left out is
 * lost. After a short random delay, in which others may ask for the same, it is due to be asked for.
 */
export class Repairs {
  readonly #delayMs: readonly [number, number];
  readonly #random: () => number;
  #chunk = -1;
  #block = -1;
  #begunAt = 0;
  #dueAt = Infinity;
  /** Blocks were lost in our own socket's buffer since the last pass ended. */
  #isOurs = false;

  /** `delayMs`: the shortest and the longest delay. */
  constructor(delayMs: readonly [number, number], random: () => number) {
    this.#delayMs = delayMs;
    this.#random = random;
  }

  /** Whether `due` may have something to say. */
  isDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  /** A block has come by, wanted or not. */
  onBlock(chunk: number, block: number, buffers: ChunkBuffers, now: number): void {
    if (chunk !== this.#chunk || block <= this.#block) {
      const ended = this.#chunk >= 0 ? buffers.find(this.#chunk) : undefined;
      if (ended) this.#passEnded(ended, now);
      this.#chunk = chunk;
      this.#begunAt = now;
    }
    this.#block = block;
  }

  /** Datagrams found no room in our own buffer: nobody else lost these, and the sender had better hear of it soon. */
  onOverflow(): void {
    this.#isOurs = true;
  }

  /** What is to be asked for now: chunks in their buffers, with the blocks that nobody has asked for yet. */
  due(buffers: ChunkBuffers, now: number): { buffer: ChunkBuffer; lost: BlockMap }[] {
    const repairs: { buffer: ChunkBuffer; lost: BlockMap }[] = [];
    this.#dueAt = Infinity;
    for (const buffer of buffers.filling()) {
      if (buffer.repairAt <= now) {
        buffer.repairAt = Infinity;
        const lost = buffer.have.missing(buffer.size);
        lost.removeAll(buffer.asked);
        if (buffer.chunk === this.#chunk) lost.cutTo(this.#block); // its blocks flow again: the later ones may yet come
        if (lost.count > 0) repairs.push({ buffer, lost });
      }
      this.#dueAt = Math.min(this.#dueAt, buffer.repairAt);
    }
    return repairs;
  }

  #passEnded(buffer: ChunkBuffer, now: number): void {
    if (buffer.askedAt <= this.#begunAt) buffer.asked.clear(); // that was the answer
    if (buffer.repairAt !== Infinity) return;
    const [least, most] = this.#delayMs;
    buffer.repairAt = this.#isOurs ? now : now + least + this.#random() * (most - least);
    this.#isOurs = false;
    this.#dueAt = Math.min(this.#dueAt, buffer.repairAt);
  }
}
