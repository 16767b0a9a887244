import { SECTOR_BYTES } from './format.js';

const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const PROTECTIVE = 0xee;

/** Bytes of a disk that `tableEnd` needs to see. */
export const TABLE_HEAD_BYTES = 2 * SECTOR_BYTES;

/** How many 512-byte sectors a disk must have for what its partition table speaks of, from its first two sectors; 0 without a table. */
export function tableEnd(head: Buffer): number {
  if (head.byteLength < TABLE_HEAD_BYTES || head.readUInt16LE(510) !== 0xaa55) return 0;
  const entries = [0, 1, 2, 3].map((number) => head.subarray(TABLE_OFFSET + number * ENTRY_BYTES, TABLE_OFFSET + (number + 1) * ENTRY_BYTES));
  if (entries.some((entry) => (entry[0] ?? 0) % 0x80 !== 0)) return 0; // the boot sector of a file system
  const isGpt = entries.some((entry) => entry[4] === PROTECTIVE) && head.toString('latin1', SECTOR_BYTES, SECTOR_BYTES + 8) === 'EFI PART';
  // the table's copy is the last sector of a disk with a GPT
  if (isGpt) return Number(head.readBigUInt64LE(SECTOR_BYTES + 32)) + 1;
  return Math.max(0, ...entries.filter((entry) => (entry[4] ?? 0) !== 0).map((entry) => entry.readUInt32LE(8) + entry.readUInt32LE(12)));
}
