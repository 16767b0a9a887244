import { readSync, writeSync } from 'node:fs';
import { messageOf } from '../util/errors.js';
import { createDigest, type DigestName } from '../disk/digest.js';
import { chunkTotals, dataExtents, gapExtents, partsWithin, type Extent } from './extents.js';
import { SECTOR_BYTES, type ChunkHeader, type ChunkVersion, type Region } from './format.js';
import { inflatePieces, openChunk } from './inflate.js';
import { readChunkBytes } from './image-reader.js';
import type { DigestGroup } from './read-back.js';
import { diskTooSmall, diskWriteFailure } from '../disk/target.js';
import { fail as diskFail } from '../disk/failures.js';
import { fail } from './failures.js';

/** The image that chunks are read from, by an open file that all threads share. */
export type JobImage = { fd: number; name: string; uuid: string | null; version: ChunkVersion };

/** Where chunks are applied to, or compared with: an open file or disk, or a part of it. */
export type JobTarget = {
  fd: number;
  path: string;
  /** What sector 0 of the image is written to. */
  baseBytes: number;
  /** Bytes there are for the image from there on; Infinity in a regular file. */
  limitBytes: number;
  /** All of it reads as zeros, so zeros need not be written. */
  isBlank: boolean;
};

/** What every job of a pool works on. */
export type ChunkJobData = { image: JobImage | null; target: JobTarget | null };

export type ChunkJob =
  /** Inflates a chunk and checks it against its header. */
  | { kind: 'check'; position: number }
  /** Writes a chunk's regions. `bytes`, in shared memory, when the image comes through a pipe. */
  | { kind: 'apply'; position: number; bytes: Uint8Array | null; zeroFill: boolean }
  /** Compares a chunk's regions (all, or those of these numbers) with what the disk holds. */
  | { kind: 'compare'; position: number; regions: readonly number[] | null }
  /** Makes one digest of each group of ranges, as the disk must hold them. */
  | { kind: 'digest'; position: number; groups: readonly DigestGroup[]; digest: DigestName };

/** What one chunk came to. */
export type ChunkJobResult = {
  effectiveBytes: number;
  actualBytes: number;
  inflatedBytes: number;
  zeroBytes: number;
  writes: number;
  zeroWrites: number;
  seeks: number;
  /** Bytes compared, and the first that differs: its place on the imaged disk and the region it is in. */
  comparedBytes: number;
  difference: { offset: number; region: Region } | null;
  /** Those that were asked for, in their order. */
  digests: string[];
};

const WRITE_BYTES = 4 * 1024 * 1024;
const BLANK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(WRITE_BYTES);

/** Does one job in this thread. Throws the Failures of `openChunk` and `inflatePieces`, `disk-write-failed`, `disk-read-failed`, `ndz-unreadable`. */
export async function chunkJob(job: ChunkJob, data: ChunkJobData): Promise<ChunkJobResult> {
  const bytes = 'bytes' in job && job.bytes ? job.bytes : readChunk(job.position, data.image);
  const header = openChunk(bytes, job.position);
  checkIdentity(header, job.position, data.image);
  const result: ChunkJobResult = {
    ...chunkTotals(header),
    zeroBytes: 0,
    writes: 0,
    zeroWrites: 0,
    seeks: 0,
    comparedBytes: 0,
    difference: null,
    digests: [],
  };
  const work = new ChunkWork(header, data.target, result);
  const extents = dataExtents(header);
  const digests =
    job.kind === 'digest' ? job.groups.map((group) => ({ parts: extentsOf(group, extents), digest: createDigest(job.digest) })) : [];
  let pieceOffset = 0;
  for await (const piece of inflatePieces(bytes, header)) {
    for (const { parts, digest } of digests) {
      for (const { from, to } of partsWithin(parts, pieceOffset, piece.byteLength)) digest.update(piece.subarray(from, to));
    }
    if (job.kind === 'apply') work.write(extents, pieceOffset, piece);
    else if (job.kind === 'compare' && !result.difference) work.compare(extents, pieceOffset, piece, job.regions);
    pieceOffset += piece.byteLength;
  }
  if (job.kind === 'apply' && job.zeroFill) for (const gap of gapExtents(header)) work.zero(gap.diskOffset, gap.sizeBytes);
  result.digests = digests.map(({ digest }) => digest.finish());
  return result;
}

/** Where the data of ranges is, each inside one of the chunk's extents. */
function extentsOf(group: DigestGroup, extents: readonly Extent[]): Extent[] {
  return group.map(({ offset, sizeBytes }) => {
    const extent = extents.findLast(({ diskOffset }) => diskOffset <= offset);
    if (!extent || offset + sizeBytes > extent.diskOffset + extent.sizeBytes)
      throw new RangeError(`the chunk does not write the ${sizeBytes} bytes from ${offset} on`);
    return { diskOffset: offset, sizeBytes, dataOffset: extent.dataOffset + offset - extent.diskOffset };
  });
}

class ChunkWork {
  readonly #header: ChunkHeader;
  readonly #target: JobTarget | null;
  readonly #result: ChunkJobResult;
  #nextOffset = 0;

  constructor(header: ChunkHeader, target: JobTarget | null, result: ChunkJobResult) {
    this.#header = header;
    this.#target = target;
    this.#result = result;
  }

  write(extents: readonly Extent[], pieceOffset: number, piece: Uint8Array): void {
    for (const { diskOffset, from, to } of partsWithin(extents, pieceOffset, piece.byteLength)) {
      const data = piece.subarray(from, to);
      if (diskOffset + data.byteLength > this.#open().limitBytes)
        throw diskTooSmall(this.#open().path, this.#open().limitBytes, diskOffset + data.byteLength, false);
      const runs = this.#open().isBlank ? nonZeroRuns(data) : [[0, data.byteLength] as const];
      for (const [start, end] of runs) this.#put(diskOffset + start, data.subarray(start, end));
    }
  }

  /** Free space may reach beyond a smaller disk; that part needs no zeros. */
  zero(offset: number, sizeBytes: number): void {
    const end = Math.min(offset + sizeBytes, this.#open().limitBytes);
    if (end <= offset) return;
    this.#result.zeroBytes += end - offset;
    if (this.#open().isBlank) return;
    for (let at = offset; at < end; at += WRITE_BYTES) {
      this.#put(at, ZEROS.subarray(0, Math.min(WRITE_BYTES, end - at)));
      this.#result.zeroWrites++;
    }
  }

  compare(extents: readonly Extent[], pieceOffset: number, piece: Uint8Array, wanted: readonly number[] | null): void {
    const asked = wanted === null ? extents : wanted.flatMap((number) => extents[number] ?? []);
    for (const { diskOffset, from, to } of partsWithin(asked, pieceOffset, piece.byteLength)) {
      const seen = readTarget(this.#open(), diskOffset, to - from);
      const data = piece.subarray(from, to);
      const at = firstDifference(data, seen);
      this.#result.comparedBytes += at ?? data.byteLength;
      if (at === null) continue;
      const sector = Math.floor((diskOffset + at) / SECTOR_BYTES);
      const region = this.#header.regions.findLast(({ startSector }) => startSector <= sector);
      this.#result.difference = { offset: diskOffset + at, region: region ?? { startSector: sector, sectorCount: 1 } };
      return;
    }
  }

  #open(): JobTarget {
    if (!this.#target) throw new Error('this job needs a target');
    return this.#target;
  }

  #put(offset: number, bytes: Uint8Array): void {
    const { fd, path, baseBytes } = this.#open();
    if (offset !== this.#nextOffset) this.#result.seeks++;
    this.#nextOffset = offset + bytes.byteLength;
    for (let done = 0; done < bytes.byteLength; ) {
      try {
        const written = writeSync(fd, bytes, done, Math.min(WRITE_BYTES, bytes.byteLength - done), baseBytes + offset + done);
        if (written === 0) throw new Error('nothing was written');
        done += written;
        this.#result.writes++;
      } catch (error) {
        throw diskWriteFailure(path, baseBytes + offset + done, error);
      }
    }
  }
}

function readChunk(position: number, image: JobImage | null): Uint8Array {
  if (!image) throw new Error('this job needs an image');
  return readChunkBytes(image.fd, image.name, position);
}

/** The file may be another one than when its headers were inspected. */
function checkIdentity({ index, uuid, version }: ChunkHeader, position: number, image: JobImage | null): void {
  if (!image || (index === position && uuid === image.uuid && version === image.version)) return;
  throw fail('ndz-uuid-mismatch', `chunk ${position} has changed since the image was opened`, 'is something writing to the image?');
}

/** The runs of blocks that are not all zeros, as [from, to). */
function nonZeroRuns(bytes: Uint8Array): (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (let from = 0; from < bytes.byteLength; from += BLANK_BYTES) {
    const to = Math.min(from + BLANK_BYTES, bytes.byteLength);
    if (bytes[from] === 0 && ZEROS.compare(bytes, from, to, 0, to - from) === 0) continue;
    const last = runs.at(-1);
    if (last && last[1] === from) last[1] = to;
    else runs.push([from, to]);
  }
  return runs;
}

/** Bytes of a disk; fewer than asked for only at its end, or the partition's. */
function readTarget({ fd, path, baseBytes, limitBytes }: JobTarget, offset: number, wantedBytes: number): Uint8Array {
  const sizeBytes = Math.max(0, Math.min(wantedBytes, limitBytes - offset));
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let done = 0;
  try {
    for (let count = 1; done < sizeBytes && count > 0; done += count)
      count = readSync(fd, bytes, done, sizeBytes - done, baseBytes + offset + done);
  } catch (error) {
    throw diskFail(
      'disk-read-failed',
      `reading ${path} at byte ${baseBytes + offset + done}: ${messageOf(error)}`,
      'is the disk sound? check the kernel log',
      { cause: error },
    );
  }
  return bytes.subarray(0, done);
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | null {
  if (Buffer.compare(a, b) === 0) return null;
  let at = 0;
  for (let step = 64 * 1024; step >= 1; step = step === 1 ? 0 : Math.max(1, step / 64)) {
    while (at < Math.min(a.byteLength, b.byteLength) && Buffer.compare(a.subarray(at, at + step), b.subarray(at, at + step)) === 0)
      at += step;
    if (step === 1) break;
  }
  return at;
}
