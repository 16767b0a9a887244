import { crc32 } from 'node:zlib';

export type MbrEntry = { slot?: number; flag?: number; type: number; start: number; count: number };

/** Writes a partition table into a sector: an MBR's, or one of a chain of logical partitions. */
export function writeMbr(disk: Buffer, sector: number, entries: MbrEntry[]): void {
  const at = sector * 512;
  disk.writeUInt16LE(0xaa55, at + 510);
  for (const [i, { slot = i, flag = 0, type, start, count }] of entries.entries()) {
    const entry = at + 446 + slot * 16;
    disk.writeUInt8(flag, entry);
    disk.writeUInt8(type, entry + 4);
    disk.writeUInt32LE(start, entry + 8);
    disk.writeUInt32LE(count, entry + 12);
  }
}

const LINUX = 'af3dc60f838472478e793d69d8477de4'; // 0fc63daf-8483-4772-8e79-3d69d8477de4 as stored

export type GptEntry = { first: number; last: number };
export type GptChanges = { sectorBytes?: number; entryBytes?: number; entryCount?: number };

/** Writes both copies of a GPT, and the protective MBR; positions in the disk's own sectors. */
export function writeGpt(
  disk: Buffer,
  entries: GptEntry[],
  { sectorBytes = 512, entryBytes = 128, entryCount = 128 }: GptChanges = {},
): void {
  const lastSector = Math.floor(disk.byteLength / sectorBytes) - 1;
  const table = Buffer.alloc(entryBytes * entryCount);
  for (const [i, { first, last }] of entries.entries()) {
    table.write(LINUX, i * entryBytes, 'hex');
    table.writeUInt8(i + 1, i * entryBytes + 16);
    table.writeBigUInt64LE(BigInt(first), i * entryBytes + 32);
    table.writeBigUInt64LE(BigInt(last), i * entryBytes + 40);
  }
  const tableSectors = Math.ceil(table.byteLength / sectorBytes);
  writeMbr(disk, 0, [{ type: 0xee, start: 1, count: lastSector }]);
  for (const [own, other, place] of [
    [1, lastSector, 2],
    [lastSector, 1, lastSector - tableSectors],
  ] as const) {
    const header = Buffer.alloc(92);
    header.write('EFI PART', 'latin1');
    header.writeUInt32LE(0x10000, 8);
    header.writeUInt32LE(92, 12);
    header.writeBigUInt64LE(BigInt(own), 24);
    header.writeBigUInt64LE(BigInt(other), 32);
    header.writeBigUInt64LE(BigInt(2 + tableSectors), 40);
    header.writeBigUInt64LE(BigInt(lastSector - tableSectors - 1), 48);
    header.writeBigUInt64LE(BigInt(place), 72);
    header.writeUInt32LE(entryCount, 80);
    header.writeUInt32LE(entryBytes, 84);
    header.writeUInt32LE(crc32(table), 88);
    header.writeUInt32LE(crc32(header), 16);
    disk.set(header, own * sectorBytes);
    disk.set(table, place * sectorBytes);
  }
}
