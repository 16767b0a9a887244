import type { SectorRange } from '../sector.js';
import type { PartitionEntry, PartitionTable } from './table.js';
import { mbrTypeName } from './partition-types.js';
import { Inconsistent, type Volume } from '../volume.js';

const MBR_BYTES = 512;
const SIGNATURE = 0xaa55;
const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const ENTRIES = 4;
const PROTECTIVE = 0xee;
const DYNAMIC = 0x42;
const UNTYPED = 0x00;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
const FIRST_LOGICAL = 5;
/** As many links of a chain of logical partitions as are followed; Linux stops at 100. */
const MAX_LINKS = 256;

/** An entry with a size, in sectors of the disk. */
type Entry = { slot: number; type: number; start: number; count: number };
/** A logical partition, and the boot record it is listed in. */
type Logical = Entry & { recordSector: number };

/** Whether the disk says that it has a GPT. */
export function hasProtectiveEntry(sector: Buffer): boolean {
  return (entriesOf(sector, 1) ?? []).some(({ type }) => type === PROTECTIVE);
}

/** Where what the record of a disk with a GPT names besides that ends (a "hybrid" table); 0 when there is nothing. */
export function hybridEnd(sector: Buffer, sectorBytes: number): number {
  const entries = entriesOf(sector, sectorBytes / MBR_BYTES) ?? [];
  return entries.filter(({ type }) => type !== PROTECTIVE).reduce((end, { start, count }) => Math.max(end, start + count), 0);
}

/**
 * The partitions of a master boot record and of its extended partitions' chains. null when it holds none, or is no such
 * record but a file system's boot sector. Throws Inconsistent.
 */
export async function readMbr(disk: Volume, sector: Buffer, sectorBytes: number): Promise<PartitionTable | null> {
  const unit = sectorBytes / MBR_BYTES;
  const found = entriesOf(sector, unit);
  const entries = found?.filter(({ type }) => type !== UNTYPED);
  // fsck.fat's "fake" table and bootable CD images have an entry for the whole disk, the table's own sector included
  if (!entries || entries.length === 0 || entries.some(({ start }) => start === 0)) return null;
  const table: PartitionTable = {
    kind: 'mbr',
    sectorBytes: null,
    partitions: [],
    unused: [],
    endSector: 0,
    keep: [{ startSector: 0, endSector: unit }],
    notes: [],
  };
  for (let slot = 0; slot < ENTRIES; slot++) if (!found?.some((entry) => entry.slot === slot)) table.unused.push(slot + 1);
  for (const entry of entries) {
    if (!EXTENDED.has(entry.type)) table.partitions.push(partitionOf(entry.slot + 1, entry, 0));
  }
  let number = FIRST_LOGICAL;
  for (const container of entries.filter(({ type }) => EXTENDED.has(type))) {
    const { logicals, isWhole } = await readChain(disk, container, unit, table.keep);
    for (const logical of logicals) table.partitions.push(partitionOf(number++, logical, logical.recordSector));
    if (isWhole) continue;
    table.notes.push(
      `the chain of logical partitions in extended partition ${container.slot + 1} is broken; what it may have held is saved`,
    );
    table.endSector = Math.max(table.endSector, container.start + container.count);
  }
  for (const { slot, start, count } of found?.filter(({ type }) => type === UNTYPED) ?? []) {
    table.notes.push(`entry ${slot + 1} of the partition table has a size but no type; what lies there is saved`);
    table.endSector = Math.max(table.endSector, start + count);
  }
  // Windows' dynamic disks keep their database in the last MiB of the disk
  if (entries.some(({ type }) => type === DYNAMIC)) table.endSector = disk.sectorCount;
  for (const { startSector, sectorCount } of table.partitions) table.endSector = Math.max(table.endSector, startSector + sectorCount);
  return table;
}

/** The entries that have a size, or null when the sector has no table. Those without a type are partitions for Linux, and unused for others. */
function entriesOf(sector: Buffer, unit: number): Entry[] | null {
  if (sector.readUInt16LE(510) !== SIGNATURE) return null;
  const entries: Entry[] = [];
  for (let slot = 0; slot < ENTRIES; slot++) {
    const at = TABLE_OFFSET + slot * ENTRY_BYTES;
    // in a file system's boot sector there is code here; Linux tells them apart in the same way
    if ((sector.readUInt8(at) & 0x7f) !== 0) return null;
    const [type, count] = [sector.readUInt8(at + 4), sector.readUInt32LE(at + 12) * unit];
    if (count > 0) entries.push({ slot, type, start: sector.readUInt32LE(at + 8) * unit, count });
  }
  return entries;
}

/**
 * Follows the boot records inside an extended partition: each has one logical partition, counted from its own place, and the
 * place of the next record, counted from the container's. `isWhole` tells whether the chain came to its end, and nothing in it is without a type.
 */
async function readChain(
  disk: Volume,
  container: Entry,
  unit: number,
  keep: SectorRange[],
): Promise<{ logicals: Logical[]; isWhole: boolean }> {
  const logicals: Logical[] = [];
  const seen = new Set<number>();
  let isWhole = true;
  const end = Math.min(container.start + container.count, disk.sectorCount);
  for (let at = container.start; ; ) {
    if (seen.has(at) || seen.size === MAX_LINKS || at + unit > end) return { logicals, isWhole: false };
    seen.add(at);
    const entries = entriesOf(await disk.read(at * MBR_BYTES, MBR_BYTES), unit);
    if (!entries) return { logicals, isWhole: false };
    keep.push({ startSector: at, endSector: at + unit });
    const next = entries.find(({ type }) => EXTENDED.has(type));
    for (const entry of entries) {
      if (EXTENDED.has(entry.type) || entry.type === UNTYPED) continue;
      const start = at + entry.start;
      if (entry.start === 0 || start + entry.count > container.start + container.count)
        throw new Inconsistent('a logical partition lies outside its extended partition');
      logicals.push({ ...entry, start, recordSector: at });
    }
    if (entries.some(({ type }) => type === UNTYPED)) isWhole = false;
    if (!next) return { logicals, isWhole };
    at = container.start + next.start;
  }
}

function partitionOf(number: number, { slot, type, start, count }: Entry, recordSector: number): PartitionEntry {
  const typeOffset = recordSector * MBR_BYTES + TABLE_OFFSET + slot * ENTRY_BYTES + 4;
  return {
    number,
    type: `0x${type.toString(16).padStart(2, '0')}`,
    typeName: mbrTypeName(type),
    startSector: start,
    sectorCount: count,
    typeOffset,
  };
}
