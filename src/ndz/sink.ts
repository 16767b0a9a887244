import { isChunkFault } from './chunk-fault.js';
import { DiskWriter, type WriteStats } from '../disk/writer.js';
import { dataExtents, gapExtents, partsWithin } from './extents.js';
import { CHUNK_BYTES, SECTOR_BYTES, type ChunkHeader } from './format.js';
import { ImageNeed } from './image-need.js';
import { ImageTracker, type ImageExpectation } from './image-tracker.js';
import { inflatePieces, openChunk } from './inflate.js';
import { applyTypeChange, planTypeChange } from '../disk/partition-type.js';
import { refuseRelocations } from './relocations.js';
import { findSlice } from '../disk/slice.js';
import { fail } from './failures.js';

/**
 * Where the chunks of one image go. Calls must not overlap. After a failure only `abort` is left to do, unless it is one of
 * `isChunkFault`: then that chunk counts as not written, and may be written again when it has come anew.
 */
export interface ChunkSink {
  /** Says how long the image is, where that is known before its first chunk. */
  begin?(imageBytes: number): Promise<void>;
  /** Applies one chunk, number `position` of the image; they may come in any order, each once. Resolves when `chunk` may be reused. */
  write(chunk: Uint8Array, position?: number): Promise<void>;
  /** Call when every chunk was written: everything reaches the medium, the sink closes. */
  finish(): Promise<SinkResult>;
  /** Gives up: waits for what is under way and closes. What was written stays. May be called at any time, twice too. */
  abort(): Promise<void>;
}

/** The numbers of "Wrote E bytes (A actual)". */
export type SinkResult = {
  /** E: the space the image speaks for, free space included. */
  effectiveBytes: number;
  /** A: the bytes written; with zero fill also the zeros. */
  actualBytes: number;
  /** Write calls it took. */
  writes: number;
  /** Lines for people: what was cut, what else was done. */
  notes?: readonly string[];
};

/** What our own sinks know beyond that. */
export type WriterResult = SinkResult &
  WriteStats & {
    /** Bytes that came out of the compressed streams. */
    inflatedBytes: number;
    /** Zeros among the actual bytes. */
    zeroBytes: number;
  };

/** A sink of ours. */
export interface WriterSink extends ChunkSink {
  finish(): Promise<WriterResult>;
}

export type DiskSinkOptions = ImageExpectation & {
  /** Make free space zeros, up to the end of a block device or partition; otherwise a disk keeps what was there. */
  zeroFill?: boolean;
  /** Write into this partition, by the table that the disk has; what does not fit is left out. Nothing outside is touched. */
  slice?: number;
  /** The type that the partition gets at the end: an MBR type, or a GPT type's short code. */
  partitionType?: number;
  signal?: AbortSignal;
};

/**
 * Opens a disk or regular file for an image's chunks. A regular file is emptied when the first chunk is accepted, and ends
 * up with the size of the imaged disk (the 2015 binaries leave it at the end of the last written region); free space in it
 * are holes. In slice mode it keeps its size.
 * Throws Failure `disk-open-failed`, `slice-missing`, `partition-type-unknown`. The sink's methods throw Failure
 * `disk-too-small`, `disk-write-failed`, `ndz-half-written`, those of ImageTracker and `inflateChunk`, or the signal's reason.
 */
export async function openDiskSink(path: string, options: DiskSinkOptions = {}): Promise<WriterSink> {
  const { slice, partitionType, signal } = options;
  if (slice === undefined) return new DiskSink(await DiskWriter.open(path, { signal }), options);
  const { startBytes, sizeBytes } = await findSlice(path, slice);
  if (partitionType !== undefined) await planTypeChange(path, slice, partitionType); // refused before, not after the writing
  return new DiskSink(await DiskWriter.open(path, { signal, baseBytes: startBytes }), options, sizeBytes);
}

class DiskSink implements WriterSink {
  readonly #writer: DiskWriter;
  readonly #options: DiskSinkOptions;
  /** Where a partition ends; null without one. */
  readonly #limitBytes: number | null;
  readonly #image: ImageTracker;
  readonly #need: ImageNeed;
  readonly #notes: string[] = [];
  /** Chunks that turned out to be damaged when part of them was written already, by number: the regions they claimed. */
  readonly #halfWritten = new Map<number, string>();
  #chunkCount: number | null = null;
  #isEmptied = false;
  #zeroBytes = 0;
  #cutBytes = 0;
  #cutEffectiveBytes = 0;

  constructor(writer: DiskWriter, options: DiskSinkOptions, limitBytes: number | null = null) {
    this.#writer = writer;
    this.#options = options;
    this.#limitBytes = limitBytes;
    this.#image = new ImageTracker(options);
    this.#need = new ImageNeed(writer.path, limitBytes === null ? writer.capacityBytes : Infinity);
  }

  async begin(imageBytes: number): Promise<void> {
    this.#chunkCount = Math.ceil(imageBytes / CHUNK_BYTES);
    this.#image.expect(this.#chunkCount);
  }

  async write(chunk: Uint8Array, position?: number): Promise<void> {
    const header = openChunk(chunk, position);
    if (this.#limitBytes !== null) refuseRelocations(header);
    this.#image.check(header, position);
    this.#refuseOtherPlace(header);
    if (await this.#fits(chunk, header)) await this.#writeData(chunk, header);
    this.#image.add(header, position); // a chunk that was damaged is not among those that have come
  }

  async #fits(chunk: Uint8Array, header: ChunkHeader): Promise<boolean> {
    const isLast = this.#chunkCount === null || header.index === this.#chunkCount - 1;
    if (this.#need.exceeds(header)) for await (const piece of inflatePieces(chunk, header)) void piece; // a damaged chunk tells nothing
    return this.#need.fits(header, isLast);
  }

  async #writeData(chunk: Uint8Array, header: ChunkHeader): Promise<void> {
    const extents = dataExtents(header);
    let [pieceOffset, cutBytes] = [0, 0];
    try {
      for await (const piece of inflatePieces(chunk, header)) {
        if (!this.#isEmptied) await this.#writer.empty();
        this.#isEmptied = true;
        for (const part of partsWithin(extents, pieceOffset, piece.byteLength)) {
          const to = part.from + this.#fitting(part.diskOffset, part.to - part.from);
          if (to > part.from) await this.#writer.write(part.diskOffset, piece.subarray(part.from, to));
          cutBytes += part.to - to;
        }
        pieceOffset += piece.byteLength;
      }
    } catch (error) {
      if (pieceOffset > 0 && isChunkFault(error)) this.#halfWritten.set(header.index, JSON.stringify(header.regions));
      throw error;
    }
    this.#cutBytes += cutBytes;
    this.#cutEffectiveBytes += cutOff(header, this.#limitBytes);
    if (this.#options.zeroFill) for (const gap of gapExtents(header)) await this.#zero(gap.diskOffset, gap.sizeBytes);
  }

  /** What a damaged chunk has written is written over when it comes again, unless it wrote elsewhere. */
  #refuseOtherPlace({ index, regions }: ChunkHeader): void {
    const before = this.#halfWritten.get(index);
    if (before === undefined || before === JSON.stringify(regions)) return;
    throw fail(
      'ndz-half-written',
      `chunk ${index} came damaged, part of it was written, and now it says that it belongs elsewhere`,
      'somebody else sends in this session, or the network damages what passes; write the whole disk again',
    );
  }

  async finish(): Promise<WriterResult> {
    const { totals, endBytes } = this.#image;
    let effectiveBytes = totals.effectiveBytes - this.#cutEffectiveBytes;
    try {
      await this.#writer.drain(); // a failed write is told before a chunk that is missing
      this.#need.check();
      this.#image.checkComplete();
      if (this.#options.zeroFill) {
        const restBytes = Math.max(0, this.#zeroEnd() - endBytes);
        await this.#zero(endBytes, restBytes);
        effectiveBytes += restBytes;
      }
      await this.#writer.finish(endBytes);
      await this.#finishSlice();
    } catch (error) {
      await this.abort();
      throw error;
    }
    const zeroBytes = this.#zeroBytes;
    return {
      ...totals,
      ...this.#writer.stats,
      effectiveBytes,
      actualBytes: totals.actualBytes - this.#cutBytes + zeroBytes,
      zeroBytes,
      notes: this.#notes,
    };
  }

  async abort(): Promise<void> {
    await this.#writer.close();
  }

  async #finishSlice(): Promise<void> {
    const { slice, partitionType } = this.#options;
    if (this.#cutBytes > 0) this.#notes.push('WARNING: image too large for target slice, truncating');
    if (slice !== undefined && partitionType !== undefined)
      this.#notes.push(await applyTypeChange(this.#writer.path, slice, partitionType));
  }

  /** How far zero fill goes beyond the image. */
  #zeroEnd(): number {
    return this.#limitBytes ?? (this.#writer.kind === 'block' ? this.#writer.capacityBytes : 0);
  }

  #fitting(offset: number, sizeBytes: number): number {
    return this.#limitBytes === null ? sizeBytes : Math.max(0, Math.min(sizeBytes, this.#limitBytes - offset));
  }

  /** Free space may reach beyond a smaller device; that part needs no zeros. */
  async #zero(offset: number, sizeBytes: number): Promise<void> {
    const fitting = Math.min(sizeBytes, (this.#limitBytes ?? this.#writer.capacityBytes) - offset);
    if (fitting <= 0) return;
    await this.#writer.writeZeros(offset, fitting);
    this.#zeroBytes += fitting;
  }
}

/** How many of the bytes a chunk speaks for lie beyond the limit. */
function cutOff({ firstSector, lastSector }: ChunkHeader, limitBytes: number | null): number {
  if (limitBytes === null) return 0;
  return Math.max(0, lastSector * SECTOR_BYTES - Math.max(limitBytes, firstSector * SECTOR_BYTES));
}

/** Where the bytes of a transfer without decompression go, in any order. Calls must not overlap. */
export interface RawSink {
  /** Writes at a place in the file; `bytes` must not change afterwards. */
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  finish(): Promise<WriterResult>;
  abort(): Promise<void>;
}

/**
 * Opens a file or disk that gets `sizeBytes` bytes as they are (`frisbee -N`). A regular file ends up with just that size.
 * Throws as `openDiskSink` and its sink do.
 */
export async function openRawSink(path: string, sizeBytes: number, signal?: AbortSignal): Promise<RawSink> {
  const writer = await DiskWriter.open(path, { signal });
  await writer.empty();
  let writtenBytes = 0;
  const abort = (): Promise<void> => writer.close();
  return {
    async writeAt(offset, bytes) {
      await writer.write(offset, bytes);
      writtenBytes += bytes.byteLength;
    },
    async finish() {
      try {
        await writer.finish(sizeBytes);
      } catch (error) {
        await abort();
        throw error;
      }
      return { effectiveBytes: writtenBytes, actualBytes: writtenBytes, inflatedBytes: writtenBytes, zeroBytes: 0, ...writer.stats };
    },
    abort,
  };
}
