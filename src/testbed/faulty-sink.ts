import type { ChunkSink, SinkResult } from '../ndz/apply/chunk-sink.js';
import { CHUNK_BYTES, decodeChunkHeader, inflatedBytes } from '../ndz/codec/format.js';
import { corruptedChunk, corruptedSector } from './corruption.js';
import { fail as diskFail } from '../disk/failures.js';

/** What goes wrong while an image is written; the part of a fault profile that is the disk's and the power's. */
export type WriteFaults = {
  dropAtPercent: number | null;
  diskErrorAtPercent: number | null;
  diskBytesPerSecond: number | null;
  corruptAtPercent: number | null;
};

/**
 * A node's disk with faults, opened when the first bytes come, so that a client that never hears a server leaves it alone.
 * At `dropAtPercent` of the chunks it calls `onDrop` and never answers again, until it is aborted; at `diskErrorAtPercent`
 * it fails as a disk does; what `corruptAtPercent` hits is given to `corrupt` when all is written.
 */
export class FaultySink implements ChunkSink {
  readonly #open: () => Promise<ChunkSink>;
  #inner: ChunkSink | undefined;
  readonly #faults: WriteFaults;
  readonly #onDrop: () => void;
  readonly #corrupt: (sector: number) => Promise<void>;
  #corruptSector: number | null = null;
  #totalChunks = Infinity;
  #chunks = 0;
  #freeAtMs = 0;
  #giveUp: (error: Error) => void = () => undefined;
  readonly #givenUp = new Promise<never>((_, reject) => (this.#giveUp = reject));

  constructor(open: () => Promise<ChunkSink>, faults: WriteFaults, onDrop: () => void, corrupt: (sector: number) => Promise<void>) {
    this.#open = open;
    this.#faults = faults;
    this.#onDrop = onDrop;
    this.#corrupt = corrupt;
    this.#givenUp.catch(() => undefined); // nobody may be waiting when it is aborted
  }

  async begin(sizeBytes: number): Promise<void> {
    this.#totalChunks = Math.ceil(sizeBytes / CHUNK_BYTES);
    this.#inner = await this.#open();
    await this.#inner.begin?.(sizeBytes);
  }

  async write(chunk: Uint8Array, index: number, sizeBytes: number): Promise<void> {
    await this.#check();
    this.#noteCorruption(chunk, index);
    await this.#output.write(chunk, index, sizeBytes);
    this.#chunks += 1;
    if (this.#faults.diskBytesPerSecond !== null) await this.#takeTime(chunk, index, this.#faults.diskBytesPerSecond);
  }

  async finish(): Promise<SinkResult> {
    await this.#check();
    const result = await this.#output.finish();
    if (this.#corruptSector !== null) await this.#corrupt(this.#corruptSector);
    return result;
  }

  async abort(): Promise<void> {
    this.#giveUp(new Error('aborted'));
    await this.#inner?.abort();
  }

  get #output(): ChunkSink {
    if (!this.#inner) throw new Error('write() before begin()');
    return this.#inner;
  }

  async #check(): Promise<void> {
    const { dropAtPercent, diskErrorAtPercent } = this.#faults;
    if (dropAtPercent !== null && this.#reached(dropAtPercent)) {
      this.#onDrop();
      await this.#givenUp;
    }
    if (diskErrorAtPercent !== null && this.#reached(diskErrorAtPercent)) {
      throw diskFail('disk-write-failed', 'writing /dev/sda: EIO: i/o error, write');
    }
  }

  #noteCorruption(chunk: Uint8Array, index: number): void {
    if (this.#faults.corruptAtPercent === null) return;
    const target = corruptedChunk(this.#faults.corruptAtPercent, this.#totalChunks);
    if (index === target.index) this.#corruptSector = corruptedSector(decodeChunkHeader(chunk, index), target.share);
  }

  #reached(percent: number): boolean {
    return this.#chunks >= Math.floor((this.#totalChunks * percent) / 100);
  }

  /** A slow disk is busy for as long as the bytes take; what came before counts. */
  async #takeTime(chunk: Uint8Array, index: number, bytesPerSecond: number): Promise<void> {
    const bytes = inflatedBytes(decodeChunkHeader(chunk, index));
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (1000 * bytes) / bytesPerSecond;
    let timer: NodeJS.Timeout | undefined;
    try {
      await Promise.race([new Promise((resolve) => (timer = setTimeout(resolve, this.#freeAtMs - nowMs))), this.#givenUp]);
    } finally {
      clearTimeout(timer);
    }
  }
}
