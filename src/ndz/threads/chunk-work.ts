import { fail } from '../failures.js';
import { createDigest, type DigestGroup } from '../../disk/digest.js';
import { type DiskAccess, READ_BYTES } from '../../disk/disk-access.js';
import { partsWithin, Placer, type Extent, type PlacedWrite } from '../../disk/placement.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import { chunkTotals, dataExtents, gapExtents } from '../codec/extents.js';
import type { ChunkHeader } from '../codec/format.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import type { InflateMemory } from '../codec/inflate-memory.js';
import { readChunkBytes } from '../read/open-image.js';
import type { ChunkJob, ChunkJobResult, JobImage, JobTarget } from './chunk-jobs.js';

/** The most that one write has: this thread has nothing else to do meanwhile. */
const WRITE_BYTES = 4 * 1024 * 1024;

/** What the jobs of a thread work on, and the memory that they inflate into, one after the other. */
export type ChunkWorkplace = { image: JobImage | null; target: JobTarget | null; disk: DiskAccess | null; memory: InflateMemory };

/**
 * Does one job in this thread; what it writes may still be under way in the end, see `DiskAccess.finish`. Throws the Failures of
 * `openChunk` and `inflatePieces`, `disk-write-failed`, `disk-read-failed`, `ndz-unreadable`.
 */
export async function chunkJob(job: ChunkJob, { image, target, disk, memory }: ChunkWorkplace): Promise<ChunkJobResult> {
  const bytes = 'bytes' in job && job.bytes ? job.bytes : readChunk(job.position, image);
  const header = openChunk(bytes, job.position);
  checkIdentity(header, job.position, image);
  const work = workOf(job, header, target && disk && { target, disk });
  let pieceOffset = 0;
  for await (const piece of inflatePieces(bytes, header, memory)) {
    await work.take?.(pieceOffset, piece);
    pieceOffset += piece.byteLength;
  }
  return { ...chunkTotals(header), ...NOTHING_DONE, ...(await work.finish?.()) };
}

const NOTHING_DONE = { writes: 0, zeroWrites: 0, seeks: 0, zeroBytes: 0, comparedBytes: 0, difference: null, digests: [] };

/** What is done with a chunk's data, piece after piece, and what that came to. */
type Work = {
  take?(pieceOffset: number, piece: Uint8Array): void | Promise<void>;
  finish?(): Partial<ChunkJobResult> | Promise<Partial<ChunkJobResult>>;
};

function workOf(job: ChunkJob, header: ChunkHeader, on: { target: JobTarget; disk: DiskAccess } | null): Work {
  switch (job.kind) {
    case 'check':
      return {};
    case 'apply':
      return applying(header, given(on), job.zeroFill);
    case 'compare':
      return comparing(header, given(on).disk, job.regions);
    case 'digest':
      return digesting(header, job);
  }
}

function applying(header: ChunkHeader, { target, disk }: { target: JobTarget; disk: DiskAccess }, zeroFill: boolean): Work {
  const extents = dataExtents(header);
  const placer = new Placer({ ...target, leavesHoles: target.isBlank, pieceBytes: WRITE_BYTES });
  const put = async (writes: Iterable<PlacedWrite>): Promise<void> => {
    for (const write of writes) await disk.put(write);
  };
  return {
    take: (pieceOffset, piece) => put(placer.data(extents, pieceOffset, piece)),
    async finish() {
      if (zeroFill) for (const { diskOffset, sizeBytes } of gapExtents(header)) await put(placer.zeros(diskOffset, sizeBytes));
      return placer.stats;
    },
  };
}

function comparing(header: ChunkHeader, disk: DiskAccess, wanted: readonly number[] | null): Work {
  const extents = dataExtents(header);
  const asked = wanted === null ? extents : wanted.flatMap((number) => extents[number] ?? []);
  let comparedBytes = 0;
  let difference: ChunkJobResult['difference'] = null;
  return {
    take(pieceOffset, piece) {
      if (difference) return;
      for (const { offset, data } of inReads(partsWithin(asked, pieceOffset, piece.byteLength), piece)) {
        const at = firstDifference(data, disk.read(offset, data.byteLength));
        comparedBytes += at ?? data.byteLength;
        if (at === null) continue;
        const sector = Math.floor((offset + at) / SECTOR_BYTES);
        const region = header.regions.findLast(({ startSector }) => startSector <= sector) ?? { startSector: sector, sectorCount: 1 };
        difference = { offset: offset + at, region };
        return;
      }
    },
    finish: () => ({ comparedBytes, difference }),
  };
}

/** Parts of a piece, cut into what is read at once. */
function* inReads(parts: ReturnType<typeof partsWithin>, piece: Uint8Array): Generator<{ offset: number; data: Uint8Array }> {
  for (const { diskOffset, from, to } of parts)
    for (let done = from; done < to; done += READ_BYTES)
      yield { offset: diskOffset + done - from, data: piece.subarray(done, Math.min(done + READ_BYTES, to)) };
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

function given<T>(target: T | null): T {
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
