import { fail as diskFail } from '../../disk/failures.js';
import { fail } from '../failures.js';
import { readSync } from 'node:fs';
import { createDigest, type DigestGroup } from '../../disk/digest.js';
import { partsWithin, Placer, type Extent, type PlacedWrite } from '../../disk/placement.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import { writeAllSync } from '../../disk/target.js';
import { messageOf } from '../../util/errors.js';
import { chunkTotals, dataExtents, gapExtents } from '../codec/extents.js';
import type { ChunkHeader } from '../codec/format.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import type { InflateMemory } from '../codec/inflate-memory.js';
import { readChunkBytes } from '../read/open-image.js';
import type { ChunkJob, ChunkJobData, ChunkJobResult, JobImage, JobTarget } from './chunk-jobs.js';

/** The most that one write has: this thread has nothing else to do meanwhile. */
const WRITE_BYTES = 4 * 1024 * 1024;

/**
 * Does one job in this thread, which must not do another one meanwhile in the same `memory`. Throws the Failures of `openChunk` and `inflatePieces`, `disk-write-failed`, `disk-read-failed`, `ndz-unreadable`.
 */
export async function chunkJob(job: ChunkJob, data: ChunkJobData, memory: InflateMemory): Promise<ChunkJobResult> {
  const bytes = 'bytes' in job && job.bytes ? job.bytes : readChunk(job.position, data.image);
  const header = openChunk(bytes, job.position);
  checkIdentity(header, job.position, data.image);
  const work = workOf(job, header, data.target);
  let pieceOffset = 0;
  for await (const piece of inflatePieces(bytes, header, memory)) {
    work.take?.(pieceOffset, piece);
    pieceOffset += piece.byteLength;
  }
  return { ...chunkTotals(header), ...NOTHING_DONE, ...work.finish?.() };
}

const NOTHING_DONE = { writes: 0, zeroWrites: 0, seeks: 0, zeroBytes: 0, comparedBytes: 0, difference: null, digests: [] };

/** What is done with a chunk's data, piece after piece, and what that came to. */
type Work = { take?(pieceOffset: number, piece: Uint8Array): void; finish?(): Partial<ChunkJobResult> };

function workOf(job: ChunkJob, header: ChunkHeader, target: JobTarget | null): Work {
  switch (job.kind) {
    case 'check':
      return {};
    case 'apply':
      return applying(header, given(target), job.zeroFill);
    case 'compare':
      return comparing(header, given(target), job.regions);
    case 'digest':
      return digesting(header, job);
  }
}

function applying(header: ChunkHeader, target: JobTarget, zeroFill: boolean): Work {
  const extents = dataExtents(header);
  const placer = new Placer({ ...target, leavesHoles: target.isBlank, pieceBytes: WRITE_BYTES });
  const put = (writes: Iterable<PlacedWrite>): void => {
    for (const { offset, bytes } of writes) writeAllSync(target, target.baseBytes + offset, bytes);
  };
  return {
    take: (pieceOffset, piece) => put(placer.data(extents, pieceOffset, piece)),
    finish() {
      if (zeroFill) for (const { diskOffset, sizeBytes } of gapExtents(header)) put(placer.zeros(diskOffset, sizeBytes));
      return placer.stats;
    },
  };
}

function comparing(header: ChunkHeader, target: JobTarget, wanted: readonly number[] | null): Work {
  const extents = dataExtents(header);
  const asked = wanted === null ? extents : wanted.flatMap((number) => extents[number] ?? []);
  let comparedBytes = 0;
  let difference: ChunkJobResult['difference'] = null;
  return {
    take(pieceOffset, piece) {
      if (difference) return;
      for (const { diskOffset, from, to } of partsWithin(asked, pieceOffset, piece.byteLength)) {
        const data = piece.subarray(from, to);
        const at = firstDifference(data, readTarget(target, diskOffset, to - from));
        comparedBytes += at ?? data.byteLength;
        if (at === null) continue;
        const sector = Math.floor((diskOffset + at) / SECTOR_BYTES);
        const region = header.regions.findLast(({ startSector }) => startSector <= sector) ?? { startSector: sector, sectorCount: 1 };
        difference = { offset: diskOffset + at, region };
        return;
      }
    },
    finish: () => ({ comparedBytes, difference }),
  };
}

function digesting(header: ChunkHeader, { groups, digest: name }: Extract<ChunkJob, { kind: 'digest' }>): Work {
  const extents = dataExtents(header);
  const digests = groups.map((group) => ({ parts: extentsOf(group, extents), digest: createDigest(name) }));
  return {
    take(pieceOffset, piece) {
      for (const { parts, digest } of digests)
        for (const { from, to } of partsWithin(parts, pieceOffset, piece.byteLength)) digest.update(piece.subarray(from, to));
    },
    finish: () => ({ digests: digests.map(({ digest }) => digest.finish()) }),
  };
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

function given(target: JobTarget | null): JobTarget {
  if (!target) throw new Error('this job needs a target');
  return target;
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
