import type { PartitionTable } from './table.js';
import { readGpt } from './gpt.js';
import { hasProtectiveEntry, hybridEnd, readMbr } from './mbr.js';
import { Inconsistent, type Volume } from '../volume.js';

/**
 * Finds the disk's partition table: GPT (its copy at the disk's end when the first is broken), else MBR; null when there is none.
 * As for Linux, a GPT counts only when the MBR says that there is one. Throws Inconsistent when there is one that cannot be trusted.
 */
export async function readPartitionTable(disk: Volume, sectorBytes: number): Promise<PartitionTable | null> {
  const mbr = await disk.peek(0, 512);
  if (!mbr) return null;
  const isProtective = hasProtectiveEntry(mbr);
  const table = isProtective ? await readGpt(disk, sectorBytes) : await readMbr(disk, mbr, sectorBytes);
  if (isProtective && !table) throw new Inconsistent('its partition table is a GPT, and both copies of that are broken');
  if (isProtective && table) table.endSector = Math.max(table.endSector, hybridEnd(mbr, sectorBytes));
  return table && checked(table, disk);
}

function checked(table: PartitionTable, disk: Volume): PartitionTable {
  const partitions = table.partitions.sort((a, b) => a.startSector - b.startSector);
  for (const [i, partition] of partitions.entries()) {
    if (!(partition.startSector >= 0 && partition.startSector < disk.sectorCount))
      throw new Inconsistent(`partition ${partition.number} begins behind the disk's end`);
    const before = partitions[i - 1];
    if (before && before.startSector + before.sectorCount > partition.startSector) {
      throw new Inconsistent(`partitions ${before.number} and ${partition.number} overlap`);
    }
  }
  return table;
}
