import { DiskWriter, type WriteStats } from './disk-writer.js';
import { dataExtents, gapExtents, partsWithin } from './extents.js';
import { ImageTracker } from './image-tracker.js';
import { inflatePieces, openChunk } from './inflate.js';

/** Where the chunks of one image go. Calls must not overlap; after a failure only `abort` is left to do. */
export interface ChunkSink {
  /** Applies one chunk; chunks may come in any order, each once. Resolves when `chunk` may be reused. */
  write(chunk: Uint8Array): Promise<void>;
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
};

/** What our own sinks know beyond that. */
export type WriterResult = SinkResult & WriteStats & {
  /** Bytes that came out of the compressed streams. */
  inflatedBytes: number;
  /** Zeros among the actual bytes. */
  zeroBytes: number;
};

/** A sink of ours. */
export interface WriterSink extends ChunkSink {
  finish(): Promise<WriterResult>;
}

export type DiskSinkOptions = {
  /** Make free space zeros, up to the end of a block device; otherwise a disk keeps what was there. */
  zeroFill?: boolean;
  signal?: AbortSignal;
};

/**
 * Opens a disk or regular file for an image's chunks. A regular file is emptied first and ends up with the size of the
 * imaged disk (the 2015 binaries leave it at the end of the last written region); free space in it are holes.
 * Throws Failure `disk-open-failed`. The sink's methods throw Failure `disk-too-small`, `disk-write-failed`,
 * `ndz-uuid-mismatch`, `ndz-duplicate-chunk`, `ndz-missing-chunk`, those of `inflateChunk`, or the signal's reason.
 */
export async function openDiskSink(path: string, { zeroFill = false, signal }: DiskSinkOptions = {}): Promise<WriterSink> {
  return new DiskSink(await DiskWriter.open(path, signal), zeroFill);
}

class DiskSink implements WriterSink {
  readonly #writer: DiskWriter;
  readonly #zeroFill: boolean;
  readonly #image = new ImageTracker();
  #zeroBytes = 0;

  constructor(writer: DiskWriter, zeroFill: boolean) {
    this.#writer = writer;
    this.#zeroFill = zeroFill;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const header = openChunk(chunk);
    this.#image.add(header);
    const extents = dataExtents(header);
    let pieceOffset = 0;
    for await (const piece of inflatePieces(chunk, header)) {
      for (const part of partsWithin(extents, pieceOffset, piece.byteLength)) {
        await this.#writer.write(part.diskOffset, piece.subarray(part.from, part.to));
      }
      pieceOffset += piece.byteLength;
    }
    if (this.#zeroFill) for (const gap of gapExtents(header)) await this.#zero(gap.diskOffset, gap.sizeBytes);
  }

  async finish(): Promise<WriterResult> {
    const { totals, endBytes } = this.#image;
    let { effectiveBytes } = totals;
    try {
      this.#image.checkComplete();
      if (this.#zeroFill && this.#writer.kind === 'block') {
        const restBytes = Math.max(0, this.#writer.capacityBytes - endBytes);
        await this.#zero(endBytes, restBytes);
        effectiveBytes += restBytes;
      }
      await this.#writer.finish(endBytes);
    } catch (error) {
      await this.abort();
      throw error;
    }
    const zeroBytes = this.#zeroBytes;
    return { ...totals, ...this.#writer.stats, effectiveBytes, actualBytes: totals.actualBytes + zeroBytes, zeroBytes };
  }

  async abort(): Promise<void> {
    await this.#writer.close();
  }

  /** Free space may reach beyond a smaller device; that part needs no zeros. */
  async #zero(offset: number, sizeBytes: number): Promise<void> {
    const fitting = Math.min(sizeBytes, this.#writer.capacityBytes - offset);
    if (fitting <= 0) return;
    await this.#writer.writeZeros(offset, fitting);
    this.#zeroBytes += fitting;
  }
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
  const writer = await DiskWriter.open(path, signal);
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
