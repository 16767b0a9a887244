import { writeGpt, writeMbr } from './partition-tables.js';

const MIB = 1024 * 1024;

/** Disks that are whole, and whose tables or file systems speak of more sectors than they have. */
export const LARGER_BY_WORD: readonly (readonly [what: string, make: () => Buffer, says: RegExp])[] = [
  [
    'a GPT disk that was copied to a smaller one',
    () => gptDisk(64 * MIB, [{ first: 2048, last: 40_000 }]).subarray(0, 32 * MIB),
    /its partition table speaks of 131072 sectors, and the disk that was imaged had 65536/,
  ],
  [
    'an MBR disk whose last partition ends behind it',
    () => mbrDisk(32 * MIB, [{ type: 0x83, start: 2048, count: 100_000 }]),
    /its partition table speaks of 102048 sectors, and the disk that was imaged had 65536/,
  ],
  [
    'a bare ext file system, cut to a smaller place',
    () => extOf(64 * MIB).subarray(0, 40 * MIB),
    /its ext file system speaks of 131072 sectors, and the disk that was imaged had 81920/,
  ],
];

/** Disks whose protective entry has the largest size there is. */
export const WIDE_PROTECTIVE: readonly (readonly [what: string, make: () => Buffer])[] = [
  ['a GPT disk', () => widened(gptDisk(32 * MIB, [{ first: 2048, last: 40_000 }]))],
  ['a GPT disk for sectors of 4096 bytes', () => widened(gptDisk(32 * MIB, [{ first: 256, last: 5000 }], 4096))],
  ['a GPT disk whose first header is lost', () => widened(gptDisk(32 * MIB, [{ first: 2048, last: 40_000 }])).fill(0, 512, 1024)],
];

export function gptDisk(sizeBytes: number, entries: { first: number; last: number }[], sectorBytes = 512): Buffer {
  const disk = Buffer.alloc(sizeBytes);
  writeGpt(disk, entries, { sectorBytes });
  return disk.fill('some text ', entries[0] ? entries[0].first * sectorBytes : 0, (entries[0]?.first ?? 0) * sectorBytes + 100_000);
}

function mbrDisk(sizeBytes: number, entries: Parameters<typeof writeMbr>[2]): Buffer {
  const disk = Buffer.alloc(sizeBytes);
  writeMbr(disk, 0, entries);
  return disk.fill('some text ', MIB, MIB + 100_000);
}

function widened(disk: Buffer): Buffer {
  disk.writeUInt32LE(0xffff_ffff, 446 + 12);
  return disk;
}

/** As much of a superblock as tells the size. */
function extOf(sizeBytes: number): Buffer {
  const disk = Buffer.alloc(sizeBytes);
  disk.writeUInt32LE(sizeBytes / 1024, 1024 + 4);
  disk.writeUInt16LE(0xef53, 1024 + 0x38);
  return disk;
}
