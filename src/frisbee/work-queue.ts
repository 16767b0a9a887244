import { BlockMap } from './block-map.js';
import { CHUNK_BLOCKS } from './geometry.js';

/** A piece of work for the sender: neighbouring blocks of one chunk. */
export type Work = { chunk: number; first: number; count: number };

type Entry = { chunk: number; wanted: BlockMap /** blocks below it have gone out, or were not asked for */; next: number };

/** What became of a request: how many blocks will be sent that would not have been without it. */
export type Enqueued = { newBlocks: number; merged: boolean };

/**
 * What clients asked for, first come first served, but repairs before whole chunks: a client holds a buffer for every
 * chunk that lacks a block, and when it runs out of them it must let whole chunks go by. Repairs may not take more than
 * every other chunk's worth of blocks while whole chunks wait: whoever asks for the same blocks for ever would keep all
 * others from finishing. Chunks that went out before come last: who joined late needs the others too, and whoever joins
 * later still would need them once more. The others come to an end, so nobody waits for ever. A chunk has at most two entries: the one being sent, which takes in requests for blocks it has
 * not reached yet, and one waiting behind it. So its size is bounded by the file, whatever clients send.
 */
export class WorkQueue {
  readonly #repairs = new Map<number, Entry>();
  readonly #whole = new Map<number, Entry>();
  readonly #again = new Map<number, Entry>();
  #sending: Entry | null = null;
  /** Blocks of repairs that went before whole chunks since the last of those. */
  #repairedBlocks = 0;

  get isEmpty(): boolean {
    return this.size === 0;
  }

  /** Number of entries. */
  get size(): number {
    return this.#repairs.size + this.#wholeSize + (this.#sending ? 1 : 0);
  }

  /**
   * Adds a request. `wanted` is taken over (and changed); `chunkBlocks` is the chunk's size; `wasSent`: it went out before. Whoever asks for a whole chunk
   * while it is being sent whole will get the rest of it, and asks for what it missed later: the request is dropped.
   */
  add(chunk: number, wanted: BlockMap, chunkBlocks: number, wasSent = false): Enqueued {
    let newBlocks = 0;
    let merged = false;
    const whole = wanted.count === chunkBlocks;
    const sending = this.#sending;
    if (sending?.chunk === chunk) {
      if (whole && sending.wanted.count === chunkBlocks - sending.next) return { newBlocks: 0, merged: true };
      const ahead = wanted.copy();
      ahead.removeRun(0, sending.next);
      merged = ahead.count > 0;
      newBlocks += sending.wanted.addAll(ahead);
      wanted.removeAll(ahead);
      if (wanted.count === 0) return { newBlocks, merged };
    }
    const waiting = this.#whole.get(chunk) ?? this.#again.get(chunk) ?? this.#repairs.get(chunk);
    if (waiting) return { newBlocks: newBlocks + waiting.wanted.addAll(wanted), merged: true };
    (!whole ? this.#repairs : wasSent ? this.#again : this.#whole).set(chunk, { chunk, wanted, next: 0 });
    return { newBlocks: newBlocks + wanted.count, merged };
  }

  /** Takes the next run of at most `limit` blocks; null when nothing is asked for. */
  take(limit: number): Work | null {
    this.#sending ??= this.#next();
    const entry = this.#sending;
    const run = entry?.wanted.nextRun(entry.next, limit);
    if (!entry || !run) return null;
    entry.wanted.removeRun(run.first, run.count);
    entry.next = run.first + run.count;
    if (entry.wanted.count === 0) this.#sending = null;
    return { chunk: entry.chunk, ...run };
  }

  get #wholeSize(): number {
    return this.#whole.size + this.#again.size;
  }

  #next(): Entry | null {
    const repair = takeFirst(this.#repairs, (entry) => this.#wholeSize === 0 || this.#repairedBlocks + entry.wanted.count <= CHUNK_BLOCKS);
    this.#repairedBlocks = repair && this.#wholeSize > 0 ? this.#repairedBlocks + repair.wanted.count : 0;
    return repair ?? takeFirst(this.#whole) ?? takeFirst(this.#again);
  }
}

function takeFirst(entries: Map<number, Entry>, mayGo: (entry: Entry) => boolean = () => true): Entry | null {
  for (const entry of entries.values()) {
    if (!mayGo(entry)) return null;
    entries.delete(entry.chunk);
    return entry;
  }
  return null;
}
