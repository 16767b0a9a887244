import { SECTOR_BYTES } from './format.js';
import { openImageSource } from './image-reader.js';
import { TABLE_HEAD_BYTES, tableEnd } from './table-end.js';

/**
 * Whether an image has lost its last chunks. From format version 2 on no chunk says how many there are, but the partition
 * table does: a sentence when it speaks of sectors beyond the imaged disk; null when not, or when there is no table.
 * Throws as `inspectImage` and `inflateChunk` do.
 */
export async function missingEnd(path: string, signal?: AbortSignal): Promise<string | null> {
  const { source, info } = await openImageSource(path, signal);
  try {
    if (info.version === 1) return null; // says how many chunks it has, and not how large the disk is
    const neededSectors = tableEnd(Buffer.from(await source.read(0, TABLE_HEAD_BYTES)));
    const haveSectors = Math.ceil(info.diskBytes / SECTOR_BYTES);
    if (neededSectors <= haveSectors) return null;
    return `its partition table speaks of ${neededSectors} sectors, and it ends at sector ${haveSectors}: its last chunks are missing`;
  } finally {
    await source.close();
  }
}
