import { decodeChunkHeader, endOfRegions, SECTOR_BYTES } from './format.js';
import { ImageReader, readChunkBytes, readDisk } from './image-reader.js';
import { openImage, type ImageInfo } from './reader.js';
import { TABLE_HEAD_BYTES, tableEnd } from './table-end.js';

/**
 * Whether an inspected image has lost its last chunks. From format version 2 on no chunk says how many there are, but the
 * partition table does: a sentence when it speaks of sectors beyond the imaged disk; null when not, or when there is no
 * table. Throws as `inflateChunk` does, or Failure `ndz-unreadable`.
 */
export async function missingEnd({ path, version, diskBytes }: ImageInfo): Promise<string | null> {
  if (version === 1) return null; // says how many chunks it has, and not how large the disk is
  const handle = await openImage(path);
  try {
    const { regions } = decodeChunkHeader(readChunkBytes(handle.fd, path, 0), 0);
    const index = { starts: Uint32Array.of(regions[0]?.startSector ?? 0), ends: Uint32Array.of(endOfRegions(regions)) };
    const head = await readDisk(new ImageReader(handle.fd, path, index), 0, Math.min(TABLE_HEAD_BYTES, diskBytes));
    const neededSectors = tableEnd(Buffer.from(head));
    const haveSectors = Math.ceil(diskBytes / SECTOR_BYTES);
    if (neededSectors <= haveSectors) return null;
    return `its partition table speaks of ${neededSectors} sectors, and it ends at sector ${haveSectors}: its last chunks are missing`;
  } finally {
    await handle.close();
  }
}
