import { SECTOR_BYTES, type SectorRange } from '../sector.js';
import type { Volume } from '../volume.js';

/** As much of a disk's end as is looked at, and kept when something is known there. */
const TAIL_SECTORS = 2048;
/** Where a firmware RAID of whatever kind begins to be found; more of what lies there is mostly rubbish. */
const ANCHOR_SECTORS = 2;
/** A GPT's copy as it is usually: 32 sectors of entries and its header. */
const GPT_COPY_SECTORS = 33;

/** `fromEnd`: sectors from the disk's end to the one that begins with `magic` (latin1). */
type TailSignature = { name: string; fromEnd: number; magic: string };

/** What the firmware of RAID controllers, and FreeBSD, keep behind everything else. */
const SIGNATURES: readonly TailSignature[] = [
  { name: 'Intel firmware RAID (IMSM)', fromEnd: 2, magic: 'Intel Raid ISM Cfg Sig.' },
  ...[1, 257].map((fromEnd) => ({ name: 'firmware RAID (DDF)', fromEnd, magic: '\xde\x11\xde\x11' })),
  { name: 'NVIDIA firmware RAID', fromEnd: 2, magic: 'NVIDIA' },
  ...[16, 63, 255, 256, 399, 591, 675, 735, 911, 951, 974, 991].map((fromEnd) => ({
    name: 'Promise firmware RAID',
    fromEnd,
    magic: 'Promise Technology, Inc.',
  })),
  ...['\xf3', '\xfd'].map((first) => ({ name: 'HighPoint firmware RAID', fromEnd: 11, magic: `${first}\x16\x78\x5a` })),
  { name: 'LSI firmware RAID', fromEnd: 1, magic: '$XIDE$' },
  { name: 'Adaptec firmware RAID', fromEnd: 1, magic: '\x37\xfc\x4d\x1e' },
  { name: 'FreeBSD GEOM', fromEnd: 1, magic: 'GEOM::' },
];

/**
 * What of the disk's last MiB must be kept although no partition is there: all of it when something known lies in it. What is
 * in the last two sectors and not known is left out, like everything behind the last partition (`endSector`), with a note.
 */
export async function readTail(
  disk: Volume,
  endSector: number,
  keep: readonly SectorRange[],
): Promise<{ keep: SectorRange[]; notes: string[] }> {
  const tail = { startSector: Math.max(0, endSector, disk.sectorCount - TAIL_SECTORS), endSector: disk.sectorCount };
  if (tail.startSector >= tail.endSector) return { keep: [], notes: [] };
  const bytes = Buffer.from(await disk.read(tail.startSector * SECTOR_BYTES, (tail.endSector - tail.startSector) * SECTOR_BYTES));
  const sectorAt = (fromEnd: number): string =>
    bytes.toString('latin1', bytes.byteLength - fromEnd * SECTOR_BYTES, bytes.byteLength - (fromEnd - 1) * SECTOR_BYTES);
  const found = [
    ...new Set(
      SIGNATURES.filter(({ fromEnd, magic }) => fromEnd * SECTOR_BYTES <= bytes.byteLength && sectorAt(fromEnd).startsWith(magic)).map(
        ({ name }) => name,
      ),
    ),
  ];
  if (found.length > 0)
    return { keep: [tail], notes: [`the disk ends with what belongs to ${found.join(' and ')}: its last MiB is saved as well`] };
  const known =
    bytes.byteLength >= SECTOR_BYTES && sectorAt(1).startsWith('EFI PART')
      ? [...keep, { startSector: disk.sectorCount - GPT_COPY_SECTORS, endSector: disk.sectorCount }]
      : keep;
  for (const range of known) bytes.fill(0, ...within(range, tail));
  const isEmpty = bytes.subarray(-ANCHOR_SECTORS * SECTOR_BYTES).every((byte) => byte === 0);
  return {
    keep: [],
    notes: isEmpty ? [] : ["the disk's last sectors, behind its last partition, hold something that is not known here: left out"],
  };
}

/** The bytes of a range inside the tail, counted from that. */
function within({ startSector, endSector }: SectorRange, tail: SectorRange): [from: number, to: number] {
  const from = Math.min(Math.max(startSector, tail.startSector), tail.endSector);
  const to = Math.max(from, Math.min(endSector, tail.endSector));
  return [(from - tail.startSector) * SECTOR_BYTES, (to - tail.startSector) * SECTOR_BYTES];
}
