import { SECTOR_BYTES } from './sector.js';

/** Bytes of a disk that `neededSectors` needs to see. */
export const DISK_HEAD_BYTES = 2 * 4096;

/** How many 512-byte sectors a disk must have for what is on it, and what says so. */
export type Need = { sectors: number; says: string };

type Size = (head: Buffer) => number;

const word = (head: Buffer, offset: number): number => head.readUInt32LE(offset);
const long = (head: Buffer, offset: number): number => Number(head.readBigUInt64LE(offset));

/** Sizes that file systems tell of themselves, in bytes; 0 for one that is not there. */
const SIZES: Readonly<Record<string, Size>> = {
  ext: (head) => {
    if (head.readUInt16LE(1024 + 0x38) !== 0xef53 || word(head, 1024 + 0x18) > 6) return 0;
    const isWide = (word(head, 1024 + 0x60) & 0x80) !== 0;
    return (word(head, 1024 + 4) + (isWide ? word(head, 1024 + 0x150) * 0x1_0000_0000 : 0)) * 1024 * 2 ** word(head, 1024 + 0x18);
  },
  NTFS: (head) => (head.toString('latin1', 3, 11) === 'NTFS    ' ? long(head, 0x28) * head.readUInt16LE(11) : 0),
  exFAT: (head) =>
    head.toString('latin1', 3, 11) === 'EXFAT   ' && head.readUInt8(108) <= 12 ? long(head, 72) * 2 ** head.readUInt8(108) : 0,
  FAT: (head) => {
    const isFat =
      head.readUInt16LE(510) === 0xaa55 &&
      (head.readUInt8(0) === 0xeb || head.readUInt8(0) === 0xe9) &&
      (head.toString('latin1', 54, 57) === 'FAT' || head.toString('latin1', 82, 85) === 'FAT');
    return isFat ? (head.readUInt16LE(19) || word(head, 32)) * head.readUInt16LE(11) : 0;
  },
  xfs: (head) => (head.toString('latin1', 0, 4) === 'XFSB' ? Number(head.readBigUInt64BE(8)) * head.readUInt32BE(4) : 0),
  swap: (head) => (head.toString('latin1', 4086, 4096) === 'SWAPSPACE2' ? (word(head, 1024 + 4) + 1) * 4096 : 0),
};

/** From the first 8 KiB of a disk or partition: its partition table's word, else its file system's; null when neither is there, or several are. */
export function neededSectors(head: Buffer): Need | null {
  if (head.byteLength < DISK_HEAD_BYTES) return null;
  const ofTable = tableEnd(head);
  if (ofTable > 0) return { sectors: ofTable, says: 'its partition table' };
  const found = Object.entries(SIZES)
    .map(([name, size]) => ({ name, bytes: size(head) }))
    .filter(({ bytes }) => bytes > 0);
  const [only, ...others] = found;
  return only && others.length === 0
    ? { sectors: Math.ceil(only.bytes / SECTOR_BYTES), says: `its ${only.name} file system`.replace('swap file system', 'swap space') }
    : null;
}

const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
/** The entry for "there is a GPT"; its size is often the largest there is, or that of another disk, and says nothing. */
const PROTECTIVE = 0xee;
/** Where a GPT's first header may be: in the second sector. */
const UNITS = [SECTOR_BYTES, 4096];

/** How many 512-byte sectors a disk must have for what its partition table speaks of, from its first 8 KiB; 0 when it does not say, or there is none. */
export function tableEnd(head: Buffer): number {
  if (head.byteLength < DISK_HEAD_BYTES || head.readUInt16LE(510) !== 0xaa55) return 0;
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
