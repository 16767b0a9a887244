import { crc32 } from 'node:zlib';
import { SECTOR_BYTES, type SectorRange } from '../sector.js';
import type { PartitionEntry, PartitionTable } from './table.js';
import { gptTypeName } from './partition-types.js';
import { Inconsistent, isPowerOfTwo, u64, type Volume } from '../volume.js';

const SIGNATURE = 'EFI PART';
const MIN_HEADER_BYTES = 92;
const MAX_ENTRIES_BYTES = 4 * 1024 * 1024;
/** The copy at the disk's end as it is usually: a header and 128 entries of 128 bytes. */
const BACKUP_SECTORS = 33;
const UNUSED = '00000000-0000-0000-0000-000000000000';

type Header = {
  /** its sector */ bytes: Buffer;
  unit: number;
  ownSector: number;
  otherSector: number;
  entriesSector: number;
  entriesSectors: number;
  entries: Buffer;
  entryBytes: number;
};

/**
 * The GUID partition table (UEFI specification, chapter 5), its copy at the disk's end when the first is broken; null when there is none.
 * `sectorBytes`: what the disk calls a sector; 4096 is tried too. Throws Inconsistent.
 */
export async function readGpt(disk: Volume, sectorBytes: number): Promise<PartitionTable | null> {
  const found = (await readHeaders(disk, sectorBytes))[0];
  return found ? tableOf(disk, found.header, found.isCopy) : null;
}

/** Every copy of the table that is whole, the first before the one at the disk's end. */
async function readHeaders(disk: Volume, sectorBytes: number): Promise<{ header: Header; isCopy: boolean }[]> {
  const units = [...new Set([sectorBytes, SECTOR_BYTES, 4096])].map((bytes) => bytes / SECTOR_BYTES);
  const headers: { header: Header; isCopy: boolean }[] = [];
  for (const isCopy of [false, true]) {
    for (const unit of units) {
      const header = await readHeader(disk, unit, isCopy ? Math.floor(disk.sectorCount / unit) * unit - unit : unit);
      if (header) headers.push({ header, isCopy });
    }
  }
  return headers;
}

/** Bytes to be put at a place of the disk. */
export type TableWrite = { offset: number; bytes: Buffer };

/** What must be written for a partition to get another type (a GUID in lower case): one list for each copy of the table, the last copy first. */
export async function gptTypeWrites(disk: Volume, sectorBytes: number, number: number, type: string): Promise<TableWrite[][]> {
  const copies = await readHeaders(disk, sectorBytes);
  return copies.reverse().map(({ header }) => {
    const entries = Buffer.from(header.entries);
    const at = (number - 1) * header.entryBytes;
    guidBytes(type).copy(entries, at);
    const bytes = Buffer.from(header.bytes);
    bytes.writeUInt32LE(crc32(entries), 88);
    bytes.writeUInt32LE(0, 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.readUInt32LE(12))), 16);
    return [
      { offset: header.entriesSector * SECTOR_BYTES + at, bytes: entries.subarray(at, at + 16) },
      { offset: header.ownSector * SECTOR_BYTES, bytes },
    ];
  });
}

/** A header and its entries at a sector, or null when they are not there or their checksums are wrong. */
async function readHeader(disk: Volume, unit: number, sector: number): Promise<Header | null> {
  const bytes = await disk.peek(sector * SECTOR_BYTES, SECTOR_BYTES);
  if (bytes?.toString('latin1', 0, 8) !== SIGNATURE) return null;
  const headerBytes = bytes.readUInt32LE(12);
  if (headerBytes < MIN_HEADER_BYTES || headerBytes > SECTOR_BYTES || u64(bytes, 24) * unit !== sector) return null;
  const zeroed = Buffer.from(bytes.subarray(0, headerBytes));
  zeroed.writeUInt32LE(0, 16);
  if (crc32(zeroed) !== bytes.readUInt32LE(16)) return null;
  const [count, entryBytes, entriesSector] = [bytes.readUInt32LE(80), bytes.readUInt32LE(84), u64(bytes, 72) * unit];
  const entriesBytes = count * entryBytes;
  if (!isPowerOfTwo(entryBytes) || entryBytes < 128 || entriesBytes === 0 || entriesBytes > MAX_ENTRIES_BYTES) return null;
  const entries = await disk.peek(entriesSector * SECTOR_BYTES, entriesBytes);
  if (!entries || crc32(entries) !== bytes.readUInt32LE(88)) return null;
  const entriesSectors = Math.ceil(entriesBytes / SECTOR_BYTES / unit) * unit;
  return { bytes, unit, ownSector: sector, otherSector: u64(bytes, 32) * unit, entriesSector, entriesSectors, entries, entryBytes };
}

async function tableOf(disk: Volume, header: Header, isCopy: boolean): Promise<PartitionTable> {
  const { unit, entries, entryBytes } = header;
  const partitions: PartitionEntry[] = [];
  for (let at = 0; at < entries.byteLength; at += entryBytes) {
    const type = guidText(entries.subarray(at, at + 16));
    if (type === UNUSED) continue;
    const number = at / entryBytes + 1;
    const [first, last] = [u64(entries, at + 32) * unit, (u64(entries, at + 40) + 1) * unit];
    if (!(first < last)) throw new Inconsistent(`partition ${number} ends before it begins`);
    partitions.push({ number, type, typeName: gptTypeName(type), startSector: first, sectorCount: last - first });
  }
  const keep = [placeOf(header), { startSector: header.entriesSector, endSector: header.entriesSector + header.entriesSectors }];
  const other = isCopy ? null : await readHeader(disk, unit, header.otherSector);
  if (other) keep.push(placeOf(other), { startSector: other.entriesSector, endSector: other.entriesSector + other.entriesSectors });
  keep.push({ startSector: Math.max(0, disk.sectorCount - BACKUP_SECTORS), endSector: disk.sectorCount });
  const endSector = Math.max(0, ...partitions.map(({ startSector, sectorCount }) => startSector + sectorCount));
  const notes = isCopy ? ['the partition table (GPT) is broken; its copy at the end of the disk was used'] : [];
  return { kind: 'gpt', sectorBytes: unit * SECTOR_BYTES, partitions, unused: [], endSector, keep, notes };
}

function placeOf({ ownSector, unit }: Header): SectorRange {
  return { startSector: ownSector, endSector: ownSector + unit };
}

/** A GUID as it is printed: its first three fields are little-endian. */
function guidText(bytes: Buffer): string {
  const reversed = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).reverse().toString('hex');
  return [reversed(0, 4), reversed(4, 6), reversed(6, 8), bytes.toString('hex', 8, 10), bytes.toString('hex', 10, 16)].join('-');
}

/** The reverse of `guidText`. */
function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
