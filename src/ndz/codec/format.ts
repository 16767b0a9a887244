import { MAX_SECTORS, SECTOR_BYTES } from '../../disk/sector.js';
import { Failure } from '../../util/errors.js';
import { decodeEndMark, encodeEndMark, END_MARK_BYTES, type EndMark } from './end-mark.js';
import { fail } from '../failures.js';

/** An image is a row of chunks of exactly this size; each can be applied alone, in any order. */
export const CHUNK_BYTES = 1_048_576;
/** The header area at the start of each chunk; the zlib stream follows it. */
export const HEADER_BYTES = 4096;
/** The longest zlib stream that fits in a chunk. */
export const MAX_STREAM_BYTES = CHUNK_BYTES - HEADER_BYTES;
/** Regions that fit in a V4 chunk without relocations; the 2015 imagezip keeps to it in all versions. */
export const MAX_REGIONS = 469;
/** Relocation type "only the first `sizeBytes` bytes of sector `sector` are to be written". */
export const RELOCATION_SHORT_SECTOR = 6;

export type ChunkVersion = 1 | 2 | 3 | 4;
/** Consecutive sectors whose content is in the chunk's stream. */
export type Region = { startSector: number; sectorCount: number };
export type Relocation = { type: number; sector: number; offsetBytes: number; sizeBytes: number };
export type ChecksumType = 'none' | 'sha1' | 'sha1-signed';
export type Cipher = 'none' | 'blowfish';

export type ChunkHeader = {
  version: ChunkVersion;
  /** Length of the zlib stream. */
  sizeBytes: number;
  /** Number of this chunk, from 0. */
  index: number;
  /** Count of chunks in V1 images, 0 in newer ones. */
  total: number;
  /** First sector the chunk speaks for; V1 chunks do not say, there it is the first region's start. */
  firstSector: number;
  /** First sector the chunk does not speak for any more; in V1 the end of the last region. */
  lastSector: number;
  /** Ascending, without overlap, none empty. */
  regions: Region[];
  relocations: Relocation[];
  checksumType: ChecksumType;
  /** 20 bytes (64 when signed), or null without checksum. */
  checksum: Uint8Array | null;
  cipher: Cipher;
  /** 32 hex digits, the same in all chunks of an image; null before V4. */
  uuid: string | null;
  /** What a writer of ours says of the image's end; null in images of other programs. */
  endMark: EndMark | null;
};

const MAGIC_V1 = 0x6969_6969;
const REGION_BYTES = 8;
const RELOCATION_BYTES = 16;
const FIXED_BYTES = { 1: 24, 2: 36, 3: 36, 4: 344 } as const satisfies Record<ChunkVersion, number>;
const CIPHERS: Record<number, Cipher> = { 0: 'none', 1: 'blowfish' };
const CHECKSUM_TYPES: Record<number, ChecksumType> = { 0: 'none', 1: 'sha1', 0x8001: 'sha1-signed' };
/** Where the checksum lies in a V4 header, and how much of the field each type uses. */
export const CHECKSUM_FIELD = { offset: 72, length: 256 } as const;
const CHECKSUM_BYTES = { none: 0, sha1: 20, 'sha1-signed': 64 } as const satisfies Record<ChecksumType, number>;
const UUID_OFFSET = 328;
/** Deflate cannot do better than 258 bytes in two bits. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * Decodes and validates the header area of one chunk (little-endian, versions 1 to 4).
 * `position` is the chunk's place in the file, for messages. Whatever the bytes are, the result is a header that is
 * safe to act on, or a Failure: `ndz-truncated`, `ndz-bad-magic` or `ndz-bad-header`, naming chunk and field.
 */
export function decodeChunkHeader(bytes: Uint8Array, position?: number): ChunkHeader {
  const where = position === undefined ? 'chunk' : `chunk ${position}`;
  if (bytes.byteLength < HEADER_BYTES) {
    throw fail('ndz-truncated', `${where}: ${bytes.byteLength} bytes, a chunk header has ${HEADER_BYTES}`, HINT_COPY);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const version = decodeVersion(view, where);
  const sizeBytes = inRange(where, 'size', view.getUint32(4, true), 1, MAX_STREAM_BYTES);
  const index = inRange(where, 'blockindex', view.getInt32(8, true), 0, 0x7fff_ffff);
  const total = inRange(where, 'blocktotal', view.getInt32(12, true), 0, 0x7fff_ffff);
  inRange(where, 'regionsize', view.getInt32(16, true), HEADER_BYTES, HEADER_BYTES);
  const fixedBytes = FIXED_BYTES[version];
  const regionCount = inRange(where, 'regioncount', view.getInt32(20, true), 1, Math.floor((HEADER_BYTES - fixedBytes) / REGION_BYTES));
  const regions = decodeRegions(view, fixedBytes, regionCount, where);
  const relocations = version === 1 ? [] : decodeRelocations(view, fixedBytes + regionCount * REGION_BYTES, where);
  const header: ChunkHeader = {
    version,
    sizeBytes,
    index,
    total,
    regions,
    relocations,
    firstSector: version === 1 ? (regions[0]?.startSector ?? 0) : view.getUint32(24, true),
    lastSector: version === 1 ? endOfRegions(regions) : view.getUint32(28, true),
    checksumType: 'none',
    checksum: null,
    cipher: 'none',
    uuid: null,
    endMark:
      headerEnd({ version, regions, relocations }) <= HEADER_BYTES - END_MARK_BYTES ? decodeEndMark(bytes.subarray(0, HEADER_BYTES)) : null,
    ...(version === 4 ? decodeIdentity(view, bytes, where) : {}),
  };
  checkCoverage(header, where);
  return header;
}

/**
 * Encodes a header area of 4096 bytes. The checksum is written as given; `sealChunk` computes one.
 * Throws RangeError when the regions, the relocations and the end mark do not fit.
 */
export function encodeChunkHeader(header: ChunkHeader): Uint8Array {
  const fixedBytes = FIXED_BYTES[header.version];
  const relocationsAt = fixedBytes + header.regions.length * REGION_BYTES;
  if (headerEnd(header) > HEADER_BYTES - (header.endMark ? END_MARK_BYTES : 0)) {
    throw new RangeError(`${header.regions.length} regions and ${header.relocations.length} relocations do not fit in a header`);
  }
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const words = [MAGIC_V1 + header.version - 1, header.sizeBytes, header.index, header.total, HEADER_BYTES, header.regions.length];
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  if (header.version > 1) {
    view.setUint32(24, header.firstSector, true);
    view.setUint32(28, header.lastSector, true);
    view.setUint32(32, header.relocations.length, true);
  }
  if (header.version === 4) encodeIdentity(view, bytes, header);
  header.regions.forEach((region, i) => {
    view.setUint32(fixedBytes + i * REGION_BYTES, region.startSector, true);
    view.setUint32(fixedBytes + i * REGION_BYTES + 4, region.sectorCount, true);
  });
  header.relocations.forEach((relocation, i) => {
    const fields = [relocation.type, relocation.sector, relocation.offsetBytes, relocation.sizeBytes];
    fields.forEach((field, j) => view.setUint32(relocationsAt + i * RELOCATION_BYTES + 4 * j, field, true));
  });
  if (header.endMark) encodeEndMark(header.endMark, bytes);
  return bytes;
}

/** Bytes of the header area that a chunk's fields, regions and relocations take. */
export function headerEnd({ version, regions, relocations }: Pick<ChunkHeader, 'version' | 'regions' | 'relocations'>): number {
  return FIXED_BYTES[version] + regions.length * REGION_BYTES + relocations.length * RELOCATION_BYTES;
}

/** Sector after the last one of the regions; 0 without regions. */
export function endOfRegions(regions: readonly Region[]): number {
  const last = regions.at(-1);
  return last ? last.startSector + last.sectorCount : 0;
}

/** How many bytes the chunk's stream must inflate to. */
export function inflatedBytes(header: ChunkHeader): number {
  return header.regions.reduce((sum, region) => sum + region.sectorCount, 0) * SECTOR_BYTES;
}

const HINT_KIND = 'is it a complete imagezip (.ndz) file? imaging-image zip makes one of a raw disk; unpack a compressed one first';
const HINT_COPY = 'is it a complete imagezip (.ndz) file? copy it again from where it came from';

function bad(where: string, what: string): Failure {
  return fail('ndz-bad-header', `${where}: ${what}`, HINT_COPY);
}

function inRange(where: string, field: string, value: number, low: number, high: number): number {
  if (value >= low && value <= high) return value;
  throw bad(where, `${field} is ${value}, not ${low === high ? low : `${low} to ${high}`}`);
}

function decodeVersion(view: DataView, where: string): ChunkVersion {
  const version = view.getUint32(0, true) - MAGIC_V1 + 1;
  if (version === 1 || version === 2 || version === 3 || version === 4) return version;
  const seen = view.getUint32(0, true).toString(16).padStart(8, '0');
  throw fail('ndz-bad-magic', `${where}: starts with 0x${seen}, not with the magic number of an imagezip chunk`, HINT_KIND);
}

function decodeRegions(view: DataView, at: number, count: number, where: string): Region[] {
  const regions: Region[] = [];
  let end = 0;
  for (let i = 0; i < count; i++) {
    const startSector = view.getUint32(at + i * REGION_BYTES, true);
    const sectorCount = view.getUint32(at + i * REGION_BYTES + 4, true);
    if (sectorCount === 0) throw bad(where, `region ${i} is empty`);
    if (startSector < end)
      throw bad(where, `region ${i} starts at sector ${startSector}, before the end of the region ahead of it (${end})`);
    end = startSector + sectorCount;
    if (end > MAX_SECTORS) throw bad(where, `region ${i} ends at sector ${end}, beyond 2 TiB`);
    regions.push({ startSector, sectorCount });
  }
  return regions;
}

function decodeRelocations(view: DataView, at: number, where: string): Relocation[] {
  const count = inRange(where, 'reloccount', view.getInt32(32, true), 0, Math.floor((HEADER_BYTES - at) / RELOCATION_BYTES));
  return Array.from({ length: count }, (_, i) => {
    const field = (n: number): number => view.getUint32(at + i * RELOCATION_BYTES + 4 * n, true);
    return { type: field(0), sector: field(1), offsetBytes: field(2), sizeBytes: field(3) };
  });
}

function decodeIdentity(
  view: DataView,
  bytes: Uint8Array,
  where: string,
): Pick<ChunkHeader, 'cipher' | 'checksumType' | 'checksum' | 'uuid'> {
  const cipher = CIPHERS[view.getUint16(36, true)];
  if (!cipher) throw bad(where, `enc_cipher is ${view.getUint16(36, true)}, not 0 or 1`);
  const checksumType = CHECKSUM_TYPES[view.getUint16(38, true)];
  if (!checksumType) throw bad(where, `csum_type is ${view.getUint16(38, true)}, not 0 (none) or 1 (SHA1), signed or not`);
  const isStray =
    checksumType === 'none' &&
    bytes.subarray(CHECKSUM_FIELD.offset, CHECKSUM_FIELD.offset + CHECKSUM_BYTES.sha1).some((byte) => byte !== 0);
  if (isStray) throw bad(where, 'csum_type is 0 (none), and yet there is a checksum');
  const checksum =
    checksumType === 'none' ? null : bytes.slice(CHECKSUM_FIELD.offset, CHECKSUM_FIELD.offset + CHECKSUM_BYTES[checksumType]);
  const uuid = Buffer.from(bytes.subarray(UUID_OFFSET, UUID_OFFSET + 16)).toString('hex');
  return { cipher, checksumType, checksum, uuid };
}

function encodeIdentity(view: DataView, bytes: Uint8Array, header: ChunkHeader): void {
  const codeOf = (table: Record<number, string>, word: string): number =>
    Number(Object.keys(table).find((code) => table[Number(code)] === word));
  view.setUint16(36, codeOf(CIPHERS, header.cipher), true);
  view.setUint16(38, codeOf(CHECKSUM_TYPES, header.checksumType), true);
  if (header.checksum) bytes.set(header.checksum.subarray(0, CHECKSUM_BYTES[header.checksumType]), CHECKSUM_FIELD.offset);
  if (header.uuid) bytes.set(Buffer.from(header.uuid, 'hex').subarray(0, 16), UUID_OFFSET);
}

function checkCoverage(header: ChunkHeader, where: string): void {
  const { firstSector, lastSector, regions, sizeBytes } = header;
  const start = regions[0]?.startSector ?? 0;
  const end = endOfRegions(regions);
  if (firstSector > start) throw bad(where, `firstsect is ${firstSector}, after the first region (sector ${start})`);
  if (lastSector < end) throw bad(where, `lastsect is ${lastSector}, before the end of the last region (sector ${end})`);
  const needed = inflatedBytes(header);
  if (needed > sizeBytes * MAX_DEFLATE_RATIO) {
    throw bad(where, `the regions have ${needed} bytes, more than a stream of ${sizeBytes} bytes (size) can hold`);
  }
  for (const relocation of header.relocations) {
    if (relocation.type === RELOCATION_SHORT_SECTOR) checkShortSector(relocation, regions, where);
  }
}

function checkShortSector(relocation: Relocation, regions: readonly Region[], where: string): void {
  const { sector, offsetBytes, sizeBytes } = relocation;
  if (offsetBytes !== 0 || sizeBytes < 1 || sizeBytes >= SECTOR_BYTES) {
    throw bad(where, `relocation SHORTSECTOR keeps ${sizeBytes} bytes at offset ${offsetBytes}, not 1 to ${SECTOR_BYTES - 1} at 0`);
  }
  if (!regions.some((region) => region.startSector + region.sectorCount - 1 === sector)) {
    throw bad(where, `relocation SHORTSECTOR names sector ${sector}, which ends no region`);
  }
}
