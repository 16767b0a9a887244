import { constants, createDeflate, type Deflate } from 'node:zlib';
import { reasonOf } from '../util/abort.js';
import { sealChunk } from './checksum.js';
import { CHUNK_BYTES, encodeChunkHeader, endOfRegions, HEADER_BYTES, MAX_REGIONS, MAX_STREAM_BYTES } from './format.js';
import { RELOCATION_SHORT_SECTOR, SECTOR_BYTES, type ChunkHeader, type ChunkVersion, type Region } from './format.js';
import type { SectorReader } from './sector-reader.js';

/** What is fed to deflate between two looks at how much room is left. */
const UNIT_BYTES = 256 * 1024;
/** Kept free for what deflate may add to data that does not compress, and for the stream's end. */
const SLACK_BYTES = 1024;
/** With less room than this a chunk counts as full. */
const FULL_BYTES = 8192;
/** A SHORTSECTOR relocation takes the place of two regions. */
const REGION_LIMIT = MAX_REGIONS - 2;

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
};

/**
 * Compresses what `reader` gives into as few chunks as is sensible: a chunk takes data while 8 KiB of room are left.
 * Rejects with the signal's reason. The chunks are complete but for their header, so several readers' results can be strung together with `placeChunk`.
 */
export async function* buildChunks(reader: SectorReader, level: number, signal?: AbortSignal): AsyncGenerator<BuiltChunk> {
  while ((await reader.nextSector()) !== null) yield await buildChunk(reader, level, signal);
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
  };
  chunk.bytes.set(encodeChunkHeader(header));
  if (place.checksum) sealChunk(chunk.bytes, chunk.streamBytes);
  return lastSector;
}

/** Bytes of the disk's sectors that a built chunk holds. */
export function builtBytes(chunk: BuiltChunk): number {
  return chunk.regions.reduce((sum, region) => sum + region.sectorCount, 0) * SECTOR_BYTES;
}

async function buildChunk(reader: SectorReader, level: number, signal: AbortSignal | undefined): Promise<BuiltChunk> {
  const stream = new ChunkDeflater(level);
  const regions: Region[] = [];
  try {
    for (let roomBytes = MAX_STREAM_BYTES; roomBytes >= FULL_BYTES; roomBytes = MAX_STREAM_BYTES - stream.sizeBytes) {
      if (signal?.aborted) throw reasonOf(signal);
      const unitBytes = Math.min(UNIT_BYTES, Math.floor((roomBytes - SLACK_BYTES) / SECTOR_BYTES) * SECTOR_BYTES);
      const isFull = await addUnit(reader, stream, regions, unitBytes);
      if (isFull) break;
      await stream.flush(constants.Z_SYNC_FLUSH);
    }
    await stream.flush(constants.Z_FINISH);
    const nextSector = await reader.nextSector();
    return { bytes: stream.bytes, streamBytes: stream.sizeBytes, regions, nextSector, shortSectorBytes: nextSector === null ? reader.shortSectorBytes : null };
  } finally {
    stream.close();
  }
}

/** Feeds up to `unitBytes`, over as many regions as it takes; tells whether nothing more can be added to the chunk. */
async function addUnit(reader: SectorReader, stream: ChunkDeflater, regions: Region[], unitBytes: number): Promise<boolean> {
  for (let fedBytes = 0; fedBytes < unitBytes; ) {
    const nextSector = await reader.nextSector();
    if (nextSector === null) return true;
    const last = regions.at(-1);
    const continues = last !== undefined && endOfRegions(regions) === nextSector;
    if (!continues && regions.length === REGION_LIMIT) return true;
    const run = await reader.read(unitBytes - fedBytes);
    if (!run) return true;
    const sectorCount = run.bytes.byteLength / SECTOR_BYTES;
    if (continues) last.sectorCount += sectorCount;
    else regions.push({ startSector: run.startSector, sectorCount });
    await stream.write(run.bytes);
    fedBytes += run.bytes.byteLength;
  }
  return false;
}

/** A zlib stream that grows inside a chunk's buffer, compressed outside this thread. */
class ChunkDeflater {
  readonly bytes = Buffer.alloc(CHUNK_BYTES);
  /** Compressed bytes so far, as of the last flush. */
  sizeBytes = 0;
  readonly #deflate: Deflate;
  #fail: (error: Error) => void = () => undefined;

  constructor(level: number) {
    // nothing is drained between flushes, so the buffer must take a whole unit
    const options = { level, chunkSize: 64 * 1024, highWaterMark: 2 * CHUNK_BYTES };
    this.#deflate = createDeflate(options);
    this.#deflate.on('error', (error) => this.#fail(error));
  }

  write(data: Uint8Array): Promise<void> {
    return this.#settled((done) => this.#deflate.write(data, done));
  }

  async flush(kind: number): Promise<void> {
    await this.#settled((done) => this.#deflate.flush(kind, () => done()));
    for (let piece: unknown = this.#deflate.read(); piece instanceof Uint8Array; piece = this.#deflate.read()) {
      this.bytes.set(piece, HEADER_BYTES + this.sizeBytes); // throws RangeError rather than spill over
      this.sizeBytes += piece.byteLength;
    }
  }

  close(): void {
    this.#deflate.destroy();
  }

  #settled(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      start((error) => (error ? reject(error) : resolve()));
    });
  }
}
