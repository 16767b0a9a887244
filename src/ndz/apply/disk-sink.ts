import { fail } from '../failures.js';
import { applyTypeChange, planTypeChange } from '../../disk/partition-type.js';
import { bytesBeyond } from '../../disk/placement.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import { findSlice } from '../../disk/slice.js';
import { DiskWriter } from '../../disk/writer.js';
import { dataExtents, gapExtents } from '../codec/extents.js';
import { CHUNK_BYTES, type ChunkHeader } from '../codec/format.js';
import { InflateMemories } from '../codec/inflate-memory.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import { isChunkFault, type WriterResult, type WriterSink } from './chunk-sink.js';
import { ImageNeed } from './image-need.js';
import { ImageTracker, type ImageExpectation } from './image-tracker.js';
import { refuseRelocations } from './relocations.js';

export type DiskSinkOptions = ImageExpectation & {
  /** Make free space zeros, up to the end of a block device or partition; otherwise a disk keeps what was there. */
  zeroFill?: boolean;
  /** Write into this partition, by the table that the disk has; what does not fit is left out. Nothing outside is touched. */
  slice?: number;
  /** The type that the partition gets at the end: an MBR type, or a GPT type's short code. */
  partitionType?: number;
  /** Memory that the sinks of a thread share; its own unless given. */
  memories?: InflateMemories;
  signal?: AbortSignal;
};

/**
 * Opens a disk or regular file for an image's chunks. A regular file is emptied when the first chunk is accepted, and ends
 * up with the size of the imaged disk (the 2015 binaries leave it at the end of the last written region); free space in it
 * are holes. In slice mode it keeps its size.
 * Throws Failure `disk-open-failed`, `slice-missing`, `partition-type-unknown`. The sink's methods throw Failure
 * `disk-too-small`, `disk-write-failed`, `ndz-half-written`, those of ImageTracker and `openChunk` and `inflatePieces`, or the signal's reason.
 */
export async function openDiskSink(path: string, options: DiskSinkOptions = {}): Promise<WriterSink> {
  const { slice, partitionType, signal } = options;
  if (slice === undefined) return new DiskSink(await DiskWriter.open(path, { signal }), options);
  const part = await findSlice(path, slice);
  if (partitionType !== undefined) await planTypeChange(path, slice, partitionType); // refused before, not after the writing
  return new DiskSink(await DiskWriter.open(path, { signal, part }), options, part.sizeBytes);
}

class DiskSink implements WriterSink {
  readonly #writer: DiskWriter;
  readonly #options: DiskSinkOptions;
  /** Where a partition ends; null without one. */
  readonly #limitBytes: number | null;
  readonly #image: ImageTracker;
  readonly #need: ImageNeed;
  readonly #memories: InflateMemories;
  readonly #notes: string[] = [];
  /** Chunks that turned out to be damaged when part of them was written already, by number: the regions they claimed. */
  readonly #halfWritten = new Map<number, string>();
  #chunkCount: number | null = null;
  #isEmptied = false;
  #cutBytes = 0;
  #cutEffectiveBytes = 0;

  constructor(writer: DiskWriter, options: DiskSinkOptions, limitBytes: number | null = null) {
    this.#writer = writer;
    this.#options = options;
    this.#limitBytes = limitBytes;
    this.#memories = options.memories ?? new InflateMemories();
    this.#image = new ImageTracker(options);
    this.#need = new ImageNeed(writer.path, limitBytes === null ? writer.limitBytes : Infinity);
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
    const memory = this.#memories.take();
    let pieceOffset = 0;
    try {
      for await (const piece of inflatePieces(chunk, header, memory)) {
        if (!this.#isEmptied) await this.#writer.empty();
        this.#isEmptied = true;
        await this.#writer.writeData(extents, pieceOffset, piece);
        pieceOffset += piece.byteLength;
      }
    } catch (error) {
      if (pieceOffset > 0 && isChunkFault(error)) this.#halfWritten.set(header.index, JSON.stringify(header.regions));
      throw error;
    }
    void this.#writer.settled().then(() => this.#memories.giveBack(memory));
    this.#cutBytes += bytesBeyond(extents, this.#writer.limitBytes);
    this.#cutEffectiveBytes += cutOff(header, this.#limitBytes);
    if (this.#options.zeroFill)
      for (const { diskOffset, sizeBytes } of gapExtents(header)) await this.#writer.writeZeros(diskOffset, sizeBytes);
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
        await this.#writer.writeZeros(endBytes, restBytes);
        effectiveBytes += restBytes;
      }
      await this.#writer.finish(endBytes);
      await this.#finishSlice();
    } catch (error) {
      await this.abort();
      throw error;
    }
    const { stats } = this.#writer;
    return {
      ...totals,
      ...stats,
      effectiveBytes,
      actualBytes: totals.actualBytes - this.#cutBytes + stats.zeroBytes,
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
    return this.#limitBytes ?? (this.#writer.kind === 'block' ? this.#writer.limitBytes : 0);
  }
}

/** How many of the bytes a chunk speaks for lie beyond the limit. */
function cutOff({ firstSector, lastSector }: ChunkHeader, limitBytes: number | null): number {
  if (limitBytes === null) return 0;
  return Math.max(0, lastSector * SECTOR_BYTES - Math.max(limitBytes, firstSector * SECTOR_BYTES));
}

/**
 * Opens a file or disk that gets the bytes of a file as they are (`frisbee -N`), when it begins. A regular file ends up with
 * just its size. Throws as `openDiskSink` and its sink do.
 */
export function openRawSink(path: string, signal?: AbortSignal): WriterSink {
  let writer: DiskWriter | null = null;
  let [fileBytes, writtenBytes] = [0, 0];
  const opened = (): DiskWriter => {
    if (!writer) throw new Error('a raw sink was written to before its size was known');
    return writer;
  };
  const abort = async (): Promise<void> => writer?.close();
  return {
    async begin(sizeBytes) {
      fileBytes = sizeBytes;
      writer = await DiskWriter.open(path, { signal });
      await writer.empty();
    },
    async write(chunk, position = 0, sizeBytes = chunk.byteLength) {
      // a copy: the memory of the chunk is filled again while the last pieces are still being written
      await opened().write(position * CHUNK_BYTES, Buffer.from(chunk.subarray(0, sizeBytes)));
      writtenBytes += sizeBytes;
    },
    async finish() {
      try {
        await opened().finish(fileBytes);
      } catch (error) {
        await abort();
        throw error;
      }
      return { effectiveBytes: writtenBytes, actualBytes: writtenBytes, inflatedBytes: writtenBytes, ...opened().stats };
    },
    abort,
  };
}
