import { deflateSync } from 'node:zlib';
import { CHUNK_BYTES, encodeChunkHeader, HEADER_BYTES, inflatedBytes, type ChunkHeader } from '../../src/ndz/codec/format.js';

export const UUID = '000102030405060708090a0b0c0d0e0f';

/** A V4 chunk of one region from sector 0 on, with what `changes` says. */
export function headerOf(changes: Partial<ChunkHeader> = {}): ChunkHeader {
  return {
    version: 4,
    sizeBytes: 100,
    index: 0,
    total: 0,
    firstSector: 0,
    lastSector: 8,
    regions: [{ startSector: 0, sectorCount: 8 }],
    relocations: [],
    checksumType: 'none',
    checksum: null,
    cipher: 'none',
    uuid: UUID,
    endMark: null,
    ...changes,
  };
}

/** A whole chunk around `header`, its stream holding `data` (zeros of the right length unless given). */
export function chunkOf(header: ChunkHeader, data: Uint8Array = Buffer.alloc(inflatedBytes(header))): Buffer {
  const stream = deflateSync(data);
  const chunk = Buffer.alloc(CHUNK_BYTES);
  chunk.set(encodeChunkHeader({ ...header, sizeBytes: stream.byteLength }));
  chunk.set(stream, HEADER_BYTES);
  return chunk;
}
