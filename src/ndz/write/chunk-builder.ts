import { availableParallelism } from 'node:os';
import { untilAborted } from '../../util/abort.js';
import { workerPath } from '../../util/dist.js';
import { ADLER_START, joinAdler } from '../codec/adler.js';
import { sealChunk } from '../codec/checksum.js';
import { FULL_BYTES, UNIT_OUTPUT_BYTES, type DeflateJob, type DeflateResult, type Piece } from '../codec/deflate-units.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import {
  CHUNK_BYTES,
  encodeChunkHeader,
  endOfRegions,
  HEADER_BYTES,
  MAX_REGIONS,
  MAX_STREAM_BYTES,
  RELOCATION_SHORT_SECTOR,
  type ChunkHeader,
  type ChunkVersion,
  type Region,
} from '../codec/format.js';
import type { SectorReader } from '../../disk/sector-reader.js';
import { addRegion, partOfRegions, UnitStream, type RawUnit, type Unit } from './unit-stream.js';
import { WorkerPool } from '../threads/worker-pool.js';

/** A SHORTSECTOR relocation takes the place of two regions, and so does the end mark. */
const REGION_LIMIT = MAX_REGIONS - 4;
/** An empty last block, then the Adler-32. */
const STREAM_END = [0x03, 0x00] as const;
const STREAM_END_BYTES = STREAM_END.length + 4;
/** The second byte of a zlib stream, by level; it has no meaning for who inflates. */
const LEVEL_BYTES = [0x01, 0x01, 0x5e, 0x5e, 0x5e, 0x5e, 0x9c, 0xda, 0xda, 0xda] as const;

/** A chunk whose stream is there, while its number and the sectors it speaks for depend on its neighbours. */
export type BuiltChunk = {
  /** 1 MiB: the stream lies at 4096, the header area is still empty. */
  bytes: Uint8Array;
  streamBytes: number;
  regions: Region[];
  /** Start of the next chunk's data, or null when this is the last. */
  nextSector: number | null;
  /** Bytes that count in the last region's last sector, when not all 512 do. */
  shortSectorBytes: number | null;
};

/** What the header says beyond the data: where the chunk stands in its image. */
export type ChunkPlace = {
  version: ChunkVersion;
  index: number;
  firstSector: number;
  /** Sectors on the disk, when known: the last chunk speaks for all up to there. */
  diskSectors: number | null;
  uuid: string | null;
  checksum: boolean;
  /** Whether it says if others follow. */
  endMark: boolean;
};

export type BuildOptions = {
  /** zlib level 0 to 9. */
  level: number;
  /** Threads that compress; as many as there are processors unless told otherwise. The result does not depend on it. */
  workers?: number;
  signal?: AbortSignal;
};

/**
 * Compresses what `reader` gives, in worker threads, into as few chunks as is sensible: a chunk takes data while 8 KiB of
 * room are left. The chunks come in order, complete but for their header (`placeChunk`). The memory it takes depends on
 * the number of workers alone. Throws what the reader throws, Failure `worker-crashed`, or the signal's reason.
 */
export async function* buildChunks(
  reader: SectorReader,
  { level, workers = availableParallelism(), signal }: BuildOptions,
): AsyncGenerator<BuiltChunk> {
  const pool = new WorkerPool<DeflateJob, DeflateResult>({ file: workerPath('deflate'), size: workers, does: 'compress' });
  const units = new UnitStream(reader, pool, level, 3 * workers + 2);
  const unlessAborted = <T>(promise: Promise<T>): Promise<T> => (signal ? untilAborted(signal, promise) : promise);
  try {
    let chunk = new ChunkFiller(level);
    let unit = await unlessAborted(units.next());
    while (unit) {
      if (chunk.hasRoomFor(unit)) {
        chunk.add(unit.compressed, unit.piece, unit.regions);
      } else {
        const next = new ChunkFiller(level);
        const skipsOne = await unlessAborted(seam(pool, chunk, next, unit, await unlessAborted(units.peek())));
        if (next.isEmpty) break; // the last unit fitted after all
        yield chunk.close(next.startSector, null);
        chunk = next;
        if (skipsOne) await unlessAborted(units.next());
      }
      unit = await unlessAborted(units.next());
    }
    if (!chunk.isEmpty) yield chunk.close(null, reader.shortSectorBytes);
  } finally {
    await pool.close();
    await units.stop();
  }
}

/**
 * Fills a chunk up with the beginning of a unit that does not fit, and begins the next chunk with the rest of it: as a
 * stream of its own, so what was compressed already does not help. Tells whether `following` went into it too.
 */
async function seam(
  pool: WorkerPool<DeflateJob, DeflateResult>,
  full: ChunkFiller,
  next: ChunkFiller,
  unit: Unit,
  following: RawUnit | null,
): Promise<boolean> {
  const windowBytes = Math.min(unit.windowBytes, full.dataBytes);
  const window = unit.windowed.subarray(unit.windowBytes - windowBytes, unit.windowBytes);
  const input = shared(windowBytes + unit.data.byteLength + (following?.data.byteLength ?? 0));
  input.set(window);
  input.set(unit.data, windowBytes);
  if (following) input.set(following.data, windowBytes + unit.data.byteLength);
  const output = shared(3 * UNIT_OUTPUT_BYTES);
  const job: DeflateJob = {
    kind: 'seam',
    input,
    windowBytes,
    output,
    level: full.level,
    roomBytes: full.roomBytes,
    tailLimitBytes: full.limitFor(unit.regions),
    headBytes: unit.data.byteLength,
  };
  const [tail, head] = await pool.run(job, { urgent: true });
  if (!tail) throw new Error('a seam without a tail');
  const regions = [...unit.regions, ...(following?.regions ?? [])];
  full.add(output, tail, partOfRegions(regions, 0, tail.dataBytes / SECTOR_BYTES));
  if (head)
    next.add(output.subarray(tail.sizeBytes), head, partOfRegions(regions, tail.dataBytes / SECTOR_BYTES, head.dataBytes / SECTOR_BYTES));
  return tail.dataBytes + (head?.dataBytes ?? 0) > unit.data.byteLength;
}

function shared(sizeBytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(sizeBytes));
}

/** A chunk while its stream grows. */
class ChunkFiller {
  readonly level: number;
  /** Bytes of data in it. */
  dataBytes = 0;
  readonly #bytes = Buffer.alloc(CHUNK_BYTES);
  readonly #regions: Region[] = [];
  #streamBytes = 2;
  #adler = ADLER_START;

  constructor(level: number) {
    this.level = level;
    this.#bytes.set([0x78, LEVEL_BYTES[level] ?? 0x5e], HEADER_BYTES);
  }

  get isEmpty(): boolean {
    return this.dataBytes === 0;
  }

  /** What more of a stream fits in. */
  get roomBytes(): number {
    return MAX_STREAM_BYTES - STREAM_END_BYTES - this.#streamBytes;
  }

  get startSector(): number {
    return this.#regions[0]?.startSector ?? 0;
  }

  hasRoomFor(unit: Unit): boolean {
    if (this.isEmpty) return true;
    return this.roomBytes >= Math.max(FULL_BYTES, unit.piece.sizeBytes) && this.limitFor(unit.regions) === unit.data.byteLength;
  }

  /** How many bytes of the data of `regions` can be taken before there are too many regions. */
  limitFor(regions: readonly Region[]): number {
    const first = regions[0];
    const continues = first !== undefined && !this.isEmpty && endOfRegions(this.#regions) === first.startSector;
    const fitting = REGION_LIMIT - this.#regions.length + (continues ? 1 : 0);
    return regions.slice(0, Math.max(0, fitting)).reduce((sum, { sectorCount }) => sum + sectorCount, 0) * SECTOR_BYTES;
  }

  add(compressed: Uint8Array, piece: Piece, regions: readonly Region[]): void {
    this.#bytes.set(compressed.subarray(0, piece.sizeBytes), HEADER_BYTES + this.#streamBytes); // throws RangeError rather than spill over
    this.#streamBytes += piece.sizeBytes;
    this.#adler = joinAdler(this.#adler, piece.adler, piece.dataBytes);
    this.dataBytes += piece.dataBytes;
    for (const region of regions) addRegion(this.#regions, region);
  }

  close(nextSector: number | null, shortSectorBytes: number | null): BuiltChunk {
    const end = HEADER_BYTES + this.#streamBytes;
    this.#bytes.set(STREAM_END, end);
    this.#bytes.writeUInt32BE(this.#adler, end + STREAM_END.length);
    return { bytes: this.#bytes, streamBytes: this.#streamBytes + STREAM_END_BYTES, regions: this.#regions, nextSector, shortSectorBytes };
  }
}

/** Writes the header of a built chunk in its place; returns the first sector of the next one. */
export function placeChunk(chunk: BuiltChunk, place: ChunkPlace): number {
  const end = endOfRegions(chunk.regions);
  const lastSector = chunk.nextSector ?? Math.max(end, place.diskSectors ?? end);
  const short = chunk.shortSectorBytes;
  const header: ChunkHeader = {
    version: place.version,
    sizeBytes: chunk.streamBytes,
    index: place.index,
    total: 0,
    firstSector: place.firstSector,
    lastSector,
    regions: chunk.regions,
    relocations: short === null ? [] : [{ type: RELOCATION_SHORT_SECTOR, sector: end - 1, offsetBytes: 0, sizeBytes: short }],
    checksumType: place.checksum ? 'sha1' : 'none',
    checksum: null,
    cipher: 'none',
    uuid: place.uuid,
    endMark: place.endMark ? { chunkCount: chunk.nextSector === null ? place.index + 1 : 0 } : null,
  };
  chunk.bytes.set(encodeChunkHeader(header));
  if (place.checksum) sealChunk(chunk.bytes, chunk.streamBytes);
  return lastSector;
}

/** Bytes of the disk's sectors that a built chunk holds. */
export function builtBytes(chunk: BuiltChunk): number {
  return chunk.regions.reduce((sum, region) => sum + region.sectorCount, 0) * SECTOR_BYTES;
}
