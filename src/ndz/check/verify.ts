import { fail } from '../failures.js';
import { openReadableDisk } from '../../disk/readable-disk.js';
import { findSlice } from '../../disk/slice.js';
import { Failure } from '../../util/errors.js';
import { systemHost } from '../../util/host.js';
import { isChunkFault } from '../apply/chunk-sink.js';
import type { Region } from '../codec/format.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import { inspectImage, named, wholeEnd, type ImageEnd, type ImageInfo } from '../read/inspect.js';
import { openImage, readChunkBytes } from '../read/open-image.js';
import type { ChunkJobResult, JobTarget } from '../threads/chunk-jobs.js';
import { eachChunk, openChunkPool, type ChunkPool } from '../threads/chunk-pool.js';

export type VerifyOptions = { signal?: AbortSignal; workers?: number; onProgress?: (doneChunks: number, chunkCount: number) => void };

/**
 * Checks an image as a load would: headers as `inspectImage` does, then every stream (and SHA1, where there is one), in
 * worker threads. Throws as `inspectImage`, `openChunk` and `inflatePieces` do, or Failure `worker-crashed`.
 */
export async function verifyImage(path: string, { signal, workers, onProgress }: VerifyOptions = {}): Promise<ImageInfo> {
  const info = await inspectImage(path, signal ? { signal } : {});
  const handle = await openImage(path);
  const pool = openChunkPool({ image: { fd: handle.fd, name: path, uuid: info.uuid, version: info.version } }, workers);
  try {
    let done = 0;
    const positions = Array.from({ length: info.chunkCount }, (_, position) => position);
    await eachChunk(
      pool,
      positions,
      (position) => ({ kind: 'check', position }),
      () => onProgress?.(++done, info.chunkCount),
      signal,
    );
    return info;
  } catch (error) {
    throw error instanceof Failure && !fail.is(error, 'worker-crashed') ? named(path, error) : error;
  } finally {
    await pool.close();
    await handle.close();
  }
}

/** Whether one chunk of an image file is as it was made: its header, its stream and its SHA1, where it has one. Throws Failure `ndz-unreadable`. */
export async function isChunkWhole(path: string, index: number): Promise<boolean> {
  const handle = await openImage(path);
  try {
    const bytes = readChunkBytes(handle.fd, path, index);
    for await (const piece of inflatePieces(bytes, openChunk(bytes, index))) void piece;
    return true;
  } catch (error) {
    if (isChunkFault(error)) return false;
    throw error;
  } finally {
    await handle.close();
  }
}

export type VerifyDiskOptions = {
  /** Whether the image has its end; by its own word unless given. */
  judge?: (info: ImageInfo) => Promise<ImageEnd>;
  /** Compare the first region, the last, and so many others taken at random; null or absent for all. */
  sample?: number | null;
  /** The image is of this partition of the disk. */
  slice?: number;
  /** Makes the kernel forget what it has of a block device, and tells whether it did: for one that cannot be read past the page cache. */
  forget?: () => Promise<boolean>;
  workers?: number;
  signal?: AbortSignal;
  onProgress?: (doneChunks: number, chunkCount: number) => void;
};

export type DiskVerdict = {
  info: ImageInfo;
  /** Regions the image has (one that goes on in the next chunk counts twice), and how many of them were compared. */
  regionCount: number;
  checkedCount: number;
  comparedBytes: number;
  /** Whether the disk itself was read, and no cache; null for a file: nobody knows. */
  fromMedium: boolean | null;
  /** The first byte that differs, counted from where the image begins on the disk, and its region. */
  difference: { offset: number; region: Region } | null;
};

type Check = { position: number; regions: number[] | null };

/**
 * Reads a disk back, past the page cache where that is possible, and compares it with an image's regions, in worker threads;
 * free space is not looked at.
 * Throws Failure: `ndz-cut`, those of `inspectImage`, `openChunk` and `inflatePieces`, `source-read-failed`, `disk-read-failed`, `slice-missing`,
 * `worker-crashed`; or the signal's reason.
 */
export async function verifyDisk(imagePath: string, diskPath: string, options: VerifyDiskOptions = {}): Promise<DiskVerdict> {
  const { signal, workers, onProgress } = options;
  const counts: number[] = [];
  const info = await inspectImage(imagePath, {
    onHeader: ({ regions }) => void counts.push(regions.length),
    ...(signal ? { signal } : {}),
  });
  await wholeEnd(info, options.judge ? { judge: options.judge } : {}); // or a disk would be called good that lacks its end
  const checks = checksOf(counts, options.sample ?? null);
  const image = await openImage(imagePath);
  try {
    const disk = await openReadableDisk(diskPath);
    let pool: ChunkPool | undefined;
    try {
      const target = { ...(await placeOf(diskPath, options.slice)), fd: disk.fd, direct: disk.direct };
      const fromMedium = disk.isBlock ? disk.direct !== null || ((await options.forget?.()) ?? false) : null;
      pool = openChunkPool({ image: { fd: image.fd, name: imagePath, uuid: info.uuid, version: info.version }, target }, workers);
      let comparedBytes = 0;
      let done = 0;
      let difference: ChunkJobResult['difference'] = null;
      const untilFound = function* (): Generator<Check> {
        for (const check of checks) if (!difference) yield check; // all before the first difference have been started
      };
      const onDone = (result: ChunkJobResult): void => {
        comparedBytes += result.comparedBytes;
        onProgress?.(++done, checks.length);
        if (result.difference && (!difference || result.difference.offset < difference.offset)) difference = result.difference;
      };
      await eachChunk(pool, untilFound(), ({ position, regions }) => ({ kind: 'compare', position, regions }), onDone, signal);
      const checkedCount = checks.reduce((sum, { position, regions }) => sum + (regions?.length ?? counts[position] ?? 0), 0);
      return { info, regionCount: counts.reduce((a, b) => a + b, 0), checkedCount, comparedBytes, fromMedium, difference };
    } finally {
      await pool?.close();
      await disk.close();
    }
  } finally {
    await image.close();
  }
}

function checksOf(counts: readonly number[], sample: number | null): Check[] {
  if (sample === null) return counts.map((_, position) => ({ position, regions: null }));
  const total = counts.reduce((a, b) => a + b, 0);
  const chosen = new Set([0, total - 1]);
  while (chosen.size < Math.min(total, sample + 2)) chosen.add(Math.floor(systemHost.random() * total));
  let first = 0;
  return counts.flatMap((count, position) => {
    const regions = Array.from({ length: count }, (_, i) => i).filter((i) => chosen.has(first + i));
    first += count;
    return regions.length > 0 ? [{ position, regions }] : [];
  });
}

async function placeOf(path: string, slice: number | undefined): Promise<Omit<JobTarget, 'fd' | 'direct'>> {
  if (slice === undefined) return { path, baseBytes: 0, limitBytes: Infinity, isBlank: false };
  const { startBytes, sizeBytes } = await findSlice(path, slice);
  return { path, baseBytes: startBytes, limitBytes: sizeBytes, isBlank: false };
}
