import { BlockMap } from './block-map.js';
import type { Work } from './work-queue.js';

/** Of so many chunks it is known which blocks went out when: requests for what was lost come soon, or tell nothing of the present. */
const CHUNKS = 64;
/** And of each chunk so many passes: a whole one, and repairs. */
const PASSES = 4;

/** Blocks of one chunk that went out one after the other, and when the first of them did. */
type Pass = { at: number; blocks: BlockMap };

/** What went out lately, chunk by chunk, so that a loss can be told from what was never sent, or before somebody came. */
export class RecentPasses {
  /** The passes over a chunk, newest first; the chunk sent last is the last one. */
  readonly #chunks = new Map<number, Pass[]>();
  #chunk = -1;

  /** Blocks go out, a chunk's in ascending order. */
  sent({ chunk, first, count }: Work, now: number): void {
    if (chunk !== this.#chunk || first === 0) this.#begin(chunk, now);
    this.#chunks.get(chunk)?.[0]?.blocks.addRun(first, count);
  }

  /** How many of the wanted blocks had gone out to somebody who is here since `since`, by when: what is wanted again is lost. */
  lost(chunk: number, wanted: BlockMap, since: number): { blocks: number; sentAt: number }[] {
    const losses: { blocks: number; sentAt: number }[] = [];
    const left = wanted.copy();
    for (const { at, blocks } of this.#chunks.get(chunk) ?? []) {
      if (at <= since) break;
      const before = left.count;
      left.removeAll(blocks);
      if (left.count < before) losses.push({ blocks: before - left.count, sentAt: at });
    }
    return losses;
  }

  #begin(chunk: number, now: number): void {
    const passes = this.#chunks.get(chunk) ?? [];
    this.#chunk = chunk;
    this.#chunks.delete(chunk);
    this.#chunks.set(chunk, [{ at: now, blocks: new BlockMap() }, ...passes.slice(0, PASSES - 1)]);
    const [oldest] = this.#chunks.keys();
    if (this.#chunks.size > CHUNKS && oldest !== undefined) this.#chunks.delete(oldest);
  }
}
