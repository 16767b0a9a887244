import { fail as diskFail } from '../../disk/failures.js';
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { openWrites } from '../../disk/open-writes.js';
import { Placer, type PlacementStats } from '../../disk/placement.js';
import { findSlice, refuseBusy, type Slice } from '../../disk/slice.js';
import { clearDeviceEnd, diskTooSmall, openTarget, sectorNotes, type OpenTarget } from '../../disk/target.js';
import { reasonOf } from '../../util/abort.js';
import { dataExtents } from '../codec/extents.js';
import type { ChunkHeader } from '../codec/format.js';
import type { ImageSummary } from '../read/image-check.js';
import { inspectImage, wholeEnd, type ImageEnd, type ImageInfo } from '../read/inspect.js';
import type { ChunkJobResult, JobTarget } from '../threads/chunk-jobs.js';
import type { WriterResult } from './chunk-sink.js';
import { applyFile, applyStream } from './in-threads.js';
import { pourImage } from './pour.js';

/** What one write of zeros behind an image has, and how many are under way at once. */
const ZERO_BYTES = 4 * 1024 * 1024;
const ZERO_WRITES = 2;

export type ApplyOptions = {
  /** Make free space zeros, up to the end of a block device or partition; otherwise a disk keeps what was there. */
  zeroFill?: boolean;
  /** Write into this partition of the target, by the partition table it has now. Nothing outside is touched. */
  slice?: number;
  /** A regular file appears, or is replaced, only when it is complete. */
  atomic?: boolean;
  /** Clear the last MiB of a block device as far as it lies behind the image, where RAIDs and copies of a GPT would be found. */
  clearEnd?: boolean;
  /** Take an image even if its last chunks seem to be missing. */
  allowCut?: boolean;
  /** Whether an image in a file has its end; by its own word unless given. */
  judge?: (info: ImageInfo) => Promise<ImageEnd>;
  /** Refuse a block device, or the partition, that is in use. */
  exclusive?: boolean;
  workers?: number;
  signal?: AbortSignal;
  onProgress?: (progress: ApplyProgress) => void;
};

export type ApplyProgress = {
  doneChunks: number;
  /** null when the image comes through a pipe. */
  chunkCount: number | null;
  /** Bytes of data written so far. */
  dataBytes: number;
};

export type ApplyResult = WriterResult & {
  /** Size of the imaged disk. */
  diskBytes: number;
  chunkCount: number;
  /** Sentences for people, such as: the disk is smaller than the imaged one, though its data fits. */
  notes: string[];
};

/**
 * Writes an image onto a disk, into a partition, or into a regular file, with worker threads that inflate and write. A
 * regular file (not in slice mode) ends up with the imaged disk's size, free space and blocks of zeros as holes. An image
 * in a file is inspected, and the disk's size compared, before the first write; one from a stream as it comes. A stream as the
 * target gets the disk front to back, free space as zeros; it is left open.
 * Throws Failure: `ndz-cut`, those of `inspectImage`, `streamImage`, `openChunk` and `inflatePieces`, `disk-open-failed`,
 * `disk-busy`, `disk-too-small`, `disk-write-failed`, `image-write-failed` (a stream), `slice-missing`, `worker-crashed`; or the
 * signal's reason.
 */
export async function applyImage(image: string | Readable, target: string | Writable, options: ApplyOptions = {}): Promise<ApplyResult> {
  if (options.signal?.aborted) throw reasonOf(options.signal);
  if (typeof target === 'string') return applyToDisk(image, target, options);
  if (options.slice !== undefined) throw new TypeError('a stream has no partitions');
  return pourImage(image, target, options);
}

async function applyToDisk(image: string | Readable, targetPath: string, options: ApplyOptions): Promise<ApplyResult> {
  const headers = new HeaderFold();
  const info =
    typeof image === 'string'
      ? await inspectImage(image, { ...(options.signal ? { signal: options.signal } : {}), onHeader: (header) => headers.add(header) })
      : null;
  if (info) await refuseSameFile(info.path, targetPath);
  const end = info ? await wholeEnd(info, options) : null;
  const part = options.slice === undefined ? null : await findSlice(targetPath, options.slice);
  if (part && options.exclusive) await refuseBusy(targetPath, part);
  // the disk as a whole may well be in use when one partition is written
  const target = await openTarget(targetPath, {
    atomic: options.atomic ?? false,
    exclusive: part === null && (options.exclusive ?? false),
    keep: part !== null,
  });
  try {
    const jobTarget = jobTargetOf(target, part, options.slice);
    if (info && headers.dataEndBytes > jobTarget.limitBytes) throw diskTooSmall(jobTarget.path, jobTarget.limitBytes, headers.dataEndBytes);
    const sums = new Sums(info, options.onProgress);
    if (info && end) sums.know(info, end);
    const diskBytes = await applyChunks(info ?? image, jobTarget, options, sums);
    if (options.zeroFill) await zeroRest(target, jobTarget, diskBytes, sums, options.signal);
    else if (options.clearEnd && !part && sums.notes.length === 0) await clearDeviceEnd(target, sums.knownDiskBytes);
    if (!part) sums.notes.push(...(await sectorNotes(target, sums.tableSectorBytes)));
    await target.commit(part ? null : diskBytes);
    return sums.result(diskBytes, jobTarget.limitBytes);
  } finally {
    await target.discard();
  }
}

/** Returns the size of the imaged disk. */
async function applyChunks(image: ImageInfo | string | Readable, target: JobTarget, options: ApplyOptions, sums: Sums): Promise<number> {
  const onDone = (result: ChunkJobResult): void => sums.add(result);
  if (typeof image === 'string') throw new TypeError('a path is inspected first');
  if ('diskBytes' in image) {
    await applyFile(image, target, onDone, options);
    return image.diskBytes;
  }
  const summary = await applyStream(image, target, onDone, options);
  sums.know(summary, summary);
  return summary.diskBytes;
}

/** Zeros from the image's end to the end of the device or partition. */
async function zeroRest(
  target: OpenTarget,
  place: JobTarget,
  fromBytes: number,
  sums: Sums,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!Number.isFinite(place.limitBytes)) return;
  const placer = new Placer({ ...place, pieceBytes: ZERO_BYTES });
  const writes = await openWrites(target, ZERO_WRITES, signal);
  try {
    for (const { offset, bytes } of placer.zeros(fromBytes, place.limitBytes - fromBytes))
      await writes.putZeros(place.baseBytes + offset, bytes);
    await writes.drain();
  } finally {
    await writes.close();
  }
  sums.addZeros(placer.stats);
}

function jobTargetOf(target: OpenTarget, part: Slice | null, slice: number | undefined): JobTarget {
  const { fd, path, kind, capacityBytes } = target;
  const direct = target.direct && { fd: target.direct.fd, unitBytes: target.direct.unitBytes };
  if (!part) return { fd, direct, path, baseBytes: 0, limitBytes: capacityBytes, isBlank: kind === 'file' };
  return {
    fd,
    direct,
    path: `partition ${slice} of ${path}`,
    baseBytes: part.startBytes,
    limitBytes: part.sizeBytes,
    isBlank: false,
  };
}

/** Opening the target would empty the image before it is read. */
async function refuseSameFile(image: string, target: string): Promise<void> {
  const [from, to] = await Promise.all([image, target].map((path) => stat(path).catch(() => undefined)));
  if (from && to && from.dev === to.dev && from.ino === to.ino) {
    throw diskFail('disk-open-failed', `${target} is the image itself`, 'give another output file');
  }
}

/** What the headers say together. */
class HeaderFold {
  /** Where the data ends on the imaged disk; free space may follow. */
  dataEndBytes = 0;

  add(header: ChunkHeader): void {
    const last = dataExtents(header).at(-1);
    if (last) this.dataEndBytes = Math.max(this.dataEndBytes, last.diskOffset + last.sizeBytes);
  }
}

/** What was done, added up. */
class Sums {
  readonly notes: string[] = [];
  /** Size of the imaged disk, if the image says it. */
  knownDiskBytes: number | null = null;
  tableSectorBytes: number | null = null;
  readonly #onProgress: ((progress: ApplyProgress) => void) | undefined;
  readonly #chunkCount: number | null;
  #doneChunks = 0;
  #peakBytes = 0;
  readonly #totals = { effectiveBytes: 0, actualBytes: 0, inflatedBytes: 0, zeroBytes: 0, writes: 0, zeroWrites: 0, seeks: 0 };

  constructor(info: ImageInfo | null, onProgress: ((progress: ApplyProgress) => void) | undefined) {
    this.#chunkCount = info?.chunkCount ?? null;
    this.#onProgress = onProgress;
  }

  /** What the image says of the disk it was made from. */
  know({ version, diskBytes }: ImageSummary, { note, tableSectorBytes }: Pick<ImageEnd, 'note' | 'tableSectorBytes'>): void {
    if (note !== null) this.notes.push(note);
    if (version > 1) this.knownDiskBytes = diskBytes;
    this.tableSectorBytes = tableSectorBytes;
  }

  add(result: ChunkJobResult): void {
    const totals = this.#totals;
    totals.effectiveBytes += result.effectiveBytes;
    totals.actualBytes += result.actualBytes;
    totals.inflatedBytes += result.inflatedBytes;
    totals.zeroBytes += result.zeroBytes;
    totals.seeks += result.seeks;
    totals.writes += result.writes;
    totals.zeroWrites += result.zeroWrites;
    this.#peakBytes = Math.max(this.#peakBytes, Math.min(result.inflatedBytes, 32 * 1024 * 1024));
    this.#doneChunks++;
    this.#onProgress?.({ doneChunks: this.#doneChunks, chunkCount: this.#chunkCount, dataBytes: totals.actualBytes });
  }

  /** What was filled with zeros behind the image. */
  addZeros({ zeroBytes, writes, zeroWrites }: PlacementStats): void {
    this.#totals.effectiveBytes += zeroBytes;
    this.#totals.zeroBytes += zeroBytes;
    this.#totals.writes += writes;
    this.#totals.zeroWrites += zeroWrites;
  }

  result(diskBytes: number, limitBytes: number): ApplyResult {
    const { actualBytes, zeroBytes, ...totals } = this.#totals;
    const peakBuffers = Math.min(availableParallelism(), this.#doneChunks);
    const notes = [...this.notes];
    if (diskBytes > limitBytes)
      notes.push(
        `the imaged disk had ${diskBytes} bytes, the target has ${limitBytes}: the data fits, but a file system or partition table may reach beyond its end`,
      );
    return {
      ...totals,
      zeroBytes,
      actualBytes: actualBytes + zeroBytes,
      diskBytes,
      chunkCount: this.#doneChunks,
      notes,
      blocked: 0,
      peakBuffers,
      peakBufferBytes: peakBuffers * this.#peakBytes,
    };
  }
}
