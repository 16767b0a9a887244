import { fail as diskFail } from '../../disk/failures.js';
import { reasonOf } from '../../util/abort.js';
import { Failure } from '../../util/errors.js';
import { buildChunks, builtBytes, placeChunk } from './chunk-builder.js';
import { MAX_SECTORS, SECTOR_BYTES, type SectorRange } from '../../disk/sector.js';
import { CHUNK_BYTES, endOfRegions } from '../codec/format.js';
import { fileOutput, streamOutput, type ImageOutput } from './output.js';
import { planRanges } from '../../disk/plan/plan.js';
import type { Plan, PlanOptions } from '../../disk/plan/plan-types.js';
import { sliceSource } from '../../disk/slice.js';
import { nonZeroRanges, wholeDisk, SectorReader } from '../../disk/sector-reader.js';
import { openSource, type ImageSource } from '../../disk/source.js';
import { fail } from '../failures.js';
import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';

export type WriteProgress = {
  chunkCount: number;
  /** How far on the disk the saved data reaches. */
  inputBytes: number;
  /** How much of the disk went into the image. */
  dataBytes: number;
};

export type WriteResult = WriteProgress & {
  /** Size of the image file. */
  sizeBytes: number;
  diskBytes: number;
  version: 3 | 4;
  uuid: string | null;
};

export type WriteOptions = {
  /** zlib level 0 to 9; 4 as imagezip's default. */
  level?: number;
  /** 4 (with uuid and checksums) unless told otherwise; 3 as imagezip writes without -u. */
  version?: 3 | 4;
  /** 32 hex digits, dashes allowed; random when left out. V4 only. */
  uuid?: string;
  /** A SHA1 in every chunk, which our reader verifies and the 2015 binaries ignore. V4 only; off unless asked for. */
  checksum?: boolean;
  /** Every chunk says whether others follow, so that a cut image shows; on unless told otherwise. */
  endMark?: boolean;
  /** Leave out zeros of 32 KiB and more. Loading then leaves there what a disk had before, unless it is zero-filled. */
  skipHoles?: boolean;
  /** What to save, instead of the whole disk. */
  ranges?: Iterable<SectorRange> | AsyncIterable<SectorRange>;
  /** Threads that compress; as many as there are processors unless told otherwise. The image does not depend on it. */
  workers?: number;
  signal?: AbortSignal;
  /** Gets every chunk of the image, in order, before it is written. */
  onChunk?: (bytes: Uint8Array) => void;
  /** Called when the image is complete and has not its name yet. */
  beforeCommit?: () => Promise<void>;
  /** Called after every chunk. */
  onProgress?: (progress: WriteProgress) => void;
};

/**
 * Makes an image of a raw disk (`source`: a path, or anything that can be read) in a file or into a stream. A file appears
 * only when complete. A size that is no multiple of 512 is kept by a SHORTSECTOR relocation. A source that was handed in,
 * and an output stream, are left open.
 * Throws Failure `source-read-failed`, `source-empty`, `source-too-large`, `image-write-failed`, the signal's reason, or
 * TypeError for options that do not fit together.
 */
export async function writeImage(
  source: string | ImageSource,
  output: string | Writable,
  options: WriteOptions = {},
): Promise<WriteResult> {
  const identity = imageIdentity(options);
  const input = typeof source === 'string' ? await openSource(source) : source;
  try {
    refuseUnfit(input);
    const ranges = options.ranges ?? (options.skipHoles ? holesLeftOut(input) : wholeDisk(input));
    const reader = new SectorReader(input, ranges);
    const target = typeof output === 'string' ? await fileOutput(output) : streamOutput(output, options.signal);
    try {
      const result = await writeChunks(input, reader, target, identity, options);
      await options.beforeCommit?.();
      await target.commit();
      return result;
    } finally {
      await reader.close();
      await target.discard();
    }
  } finally {
    if (typeof source === 'string') await input.close();
  }
}

export type ZipOptions = Omit<WriteOptions, 'ranges' | 'skipHoles'> & {
  /** What to leave out, or not to look into. */
  plan?: Omit<PlanOptions, 'signal'>;
  /** Called before the first byte is written. */
  onPlan?: (plan: ZipPlan) => void;
};

/** What will be saved; null when it comes through a pipe, of which all is saved. */
export type ZipPlan = {
  plan: Plan | null /** Bytes that will be read and compressed; null when only the end will tell. */;
  dataBytes: number | null;
};

/**
 * Makes an image of a disk, of one of its partitions, or of a file: what is in use, as its file systems say. A source that
 * can be read only once is saved whole. Throws as `writeImage` and `planRanges` do.
 */
export async function zipDisk(source: string | ImageSource, output: string | Writable, options: ZipOptions = {}): Promise<WriteResult> {
  const input = typeof source === 'string' ? await openSource(source) : source;
  const { plan: planOptions = {}, onPlan, ...writeOptions } = options;
  try {
    if (input.sizeBytes === null) {
      if (planOptions.slice !== undefined)
        throw diskFail(
          'source-not-seekable',
          `${input.name}: a pipe can only be saved whole, not one partition of it`,
          'give the path of the disk',
        );
      onPlan?.({ plan: null, dataBytes: null });
      return await writeImage(input, output, writeOptions);
    }
    const plan = await planRanges(input, { ...planOptions, ...(options.signal ? { signal: options.signal } : {}) });
    onPlan?.({ plan, dataBytes: plan.ranges.reduce((sum, { startSector, endSector }) => sum + endSector - startSector, 0) * SECTOR_BYTES });
    const part = planOptions.slice === undefined ? input : sliceSource(input, plan.baseSector, plan.diskSectors);
    return await writeImage(part, output, { ...writeOptions, ranges: plan.ranges });
  } finally {
    if (typeof source === 'string') await input.close();
  }
}

type Identity = { version: 3 | 4; uuid: string | null; checksum: boolean; endMark: boolean };

async function writeChunks(
  input: ImageSource,
  reader: SectorReader,
  target: ImageOutput,
  identity: Identity,
  options: WriteOptions,
): Promise<WriteResult> {
  const { level = 4, workers, signal, onProgress } = options;
  const progress = { chunkCount: 0, inputBytes: 0, dataBytes: 0 };
  let firstSector = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const chunk of buildChunks(reader, {
      level,
      ...(workers === undefined ? {} : { workers }),
      ...(signal ? { signal } : {}),
    })) {
      const diskSectors = input.sizeBytes === null ? null : Math.ceil(input.sizeBytes / SECTOR_BYTES);
      firstSector = placeChunk(chunk, { ...identity, index: progress.chunkCount, firstSector, diskSectors });
      progress.chunkCount++;
      progress.inputBytes = endOfRegions(chunk.regions) * SECTOR_BYTES;
      progress.dataBytes += builtBytes(chunk);
      await writing; // the next chunk is compressed while this one is written
      options.onChunk?.(chunk.bytes);
      writing = target.write(chunk.bytes);
      writing.catch(() => undefined); // thrown at the next await
      onProgress?.({ ...progress });
    }
  } finally {
    await writing;
  }
  if (signal?.aborted) throw reasonOf(signal);
  if (progress.chunkCount === 0) throw fail('source-empty', `${input.name}: nothing to save`, 'is it the right disk?');
  if (input.sizeBytes === null && firstSector >= MAX_SECTORS) throw tooLarge(input); // a pipe that was not read to its end
  const cutBytes = reader.shortSectorBytes === null ? 0 : SECTOR_BYTES - reader.shortSectorBytes;
  const { version, uuid } = identity;
  return { ...progress, sizeBytes: progress.chunkCount * CHUNK_BYTES, diskBytes: firstSector * SECTOR_BYTES - cutBytes, version, uuid };
}

function imageIdentity({ version, uuid, checksum = false, endMark = true }: WriteOptions): Identity {
  if (version === 3) {
    if (uuid !== undefined || checksum) throw new TypeError('only version 4 has a uuid and checksums');
    return { version, uuid: null, checksum, endMark };
  }
  const hex = (uuid ?? randomBytes(16).toString('hex')).replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex)) throw new TypeError(`uuid '${uuid}' is not 32 hex digits`);
  return { version: 4, uuid: hex, checksum, endMark };
}

function refuseUnfit(input: ImageSource): void {
  if (input.sizeBytes === 0) throw fail('source-empty', `${input.name} is empty`, 'is it the right disk?');
  if (input.sizeBytes !== null && input.sizeBytes > MAX_SECTORS * SECTOR_BYTES) throw tooLarge(input);
}

function tooLarge(input: ImageSource): Failure {
  return fail('source-too-large', `${input.name} has more than 2 TiB; the format has 32-bit sector numbers`, 'save a smaller partition');
}

function holesLeftOut(input: ImageSource): AsyncIterable<SectorRange> {
  const { sizeBytes } = input;
  if (sizeBytes === null) throw new TypeError(`${input.name} can be read only once: holes cannot be left out`);
  return nonZeroRanges(input, sizeBytes);
}
