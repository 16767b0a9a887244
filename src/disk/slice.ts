import { fail } from './failures.js';
import { planRanges } from './plan/plan.js';
import { SECTOR_BYTES } from './sector.js';
import { readDiskUse, useOf } from './in-use.js';
import { readPartitionTable } from './tables/partition-table.js';
import type { PartitionEntry } from './tables/table.js';
import { contradiction, Volume } from './volume.js';
import { openSource, type ImageSource } from './source.js';

/** Where a partition lies on its disk. */
export type Slice = { startBytes: number; sizeBytes: number };

/**
 * Looks up partition `slice` of a disk, or of a disk in a file, in the table that is there now.
 * Throws Failure `slice-missing`, `source-not-seekable` or `source-read-failed`.
 */
export async function findSlice(path: string, slice: number): Promise<Slice> {
  const source = await openSource(path);
  try {
    const { baseSector, diskSectors } = await planRanges(source, { slice, raw: true });
    return { startBytes: baseSector * SECTOR_BYTES, sizeBytes: diskSectors * SECTOR_BYTES };
  } finally {
    await source.close();
  }
}

/** Throws Failure `disk-busy` when this machine uses a part of a disk. */
export async function refuseBusy(path: string, { startBytes, sizeBytes }: Slice): Promise<void> {
  const use = useOf(await readDiskUse(path), startBytes / SECTOR_BYTES, (startBytes + sizeBytes) / SECTOR_BYTES);
  if (use !== null) throw fail('disk-busy', `the partition of ${path} ${use}`, 'unmount it first');
}

/** A part of a disk as a source of its own; `sectorCount` sectors from `startSector` on, or as many as there are. Closing it closes nothing. */
export function sliceSource(source: ImageSource, startSector: number, sectorCount: number): ImageSource {
  if (source.sizeBytes === null) throw new TypeError(`${source.name} can only be read front to back`);
  const startBytes = startSector * SECTOR_BYTES;
  const sizeBytes = Math.max(0, Math.min(sectorCount * SECTOR_BYTES, source.sizeBytes - startBytes));
  return {
    name: source.name,
    sizeBytes,
    read: (offset, length) => source.read(startBytes + offset, Math.max(0, Math.min(length, sizeBytes - offset))),
    close: () => Promise.resolve(),
  };
}

/** The partitions of a disk or image, by its table; null without one, or when it makes no sense. Throws what reading the source throws. */
export async function partitionsOf(source: ImageSource, signal?: AbortSignal): Promise<readonly PartitionEntry[] | null> {
  const disk = new Volume(source, 0, Math.floor((source.sizeBytes ?? 0) / SECTOR_BYTES), signal);
  try {
    return (await readPartitionTable(disk, SECTOR_BYTES))?.partitions ?? null;
  } catch (error) {
    contradiction(error); // what else went wrong is thrown
    return null;
  }
}
