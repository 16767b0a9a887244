import { planRanges } from './plan/plan.js';
import { SECTOR_BYTES } from './sector.js';
import { openSource } from './source.js';

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
