import { SECTOR_BYTES } from '../sector.js';

const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
/** The entry for "there is a GPT"; its size is often the largest there is, or that of another disk, and says nothing. */
const PROTECTIVE = 0xee;
/** Where a GPT's first header may be: in the second sector. */
const UNITS = [SECTOR_BYTES, 4096];

/** Bytes of a disk that `tableEnd` needs to see. */
export const TABLE_HEAD_BYTES = 2 * 4096;

/** How many 512-byte sectors a disk must have for what its partition table speaks of, from its first 8 KiB; 0 when it does not say, or there is none. */
export function tableEnd(head: Buffer): number {
  if (head.byteLength < TABLE_HEAD_BYTES || head.readUInt16LE(510) !== 0xaa55) return 0;
  const entries = [0, 1, 2, 3].map((number) =>
    head.subarray(TABLE_OFFSET + number * ENTRY_BYTES, TABLE_OFFSET + (number + 1) * ENTRY_BYTES),
  );
  if (entries.some((entry) => (entry[0] ?? 0) % 0x80 !== 0)) return 0; // the boot sector of a file system
  const ends = entries
    .filter((entry) => entry[4] !== 0 && entry[4] !== PROTECTIVE)
    .map((entry) => entry.readUInt32LE(8) + entry.readUInt32LE(12));
  const isProtective = entries.some((entry) => entry[4] === PROTECTIVE);
  return Math.max(0, ...ends, isProtective ? gptEnd(head) : 0);
}

/** The size of sector that a disk's GPT counts in, from its first 8 KiB; null when there is none. */
export function gptSectorBytes(head: Buffer): number | null {
  return UNITS.find((bytes) => head.toString('latin1', bytes, bytes + 8) === 'EFI PART') ?? null;
}

/** The table's copy is the last sector of a disk with a GPT. */
function gptEnd(head: Buffer): number {
  const unit = gptSectorBytes(head);
  return unit === null ? 0 : (Number(head.readBigUInt64LE(unit + 32)) + 1) * (unit / SECTOR_BYTES);
}
