import { SECTOR_BYTES } from '../disk/sector.js';
import { inflatedBytes, type ChunkHeader } from '../ndz/codec/format.js';
import { inspectImage } from '../ndz/read/inspect.js';

/** The chunk that `corrupt-at:PCT` hits, of so many, and how far into its data. */
export function corruptedChunk(percent: number, chunkCount: number): { index: number; share: number } {
  const place = (chunkCount * percent) / 100;
  const index = Math.min(chunkCount - 1, Math.floor(place));
  return { index, share: Math.min(1, place - index) };
}

/** The sector of the disk that is `share` of the way through what a chunk writes. */
export function corruptedSector(header: ChunkHeader, share: number): number {
  const sectors = inflatedBytes(header) / SECTOR_BYTES;
  let left = Math.min(sectors - 1, Math.floor(sectors * share));
  for (const { startSector, sectorCount } of header.regions) {
    if (left < sectorCount) return startSector + left;
    left -= sectorCount;
  }
  throw new RangeError('a chunk without regions');
}

/** The sector that `corrupt-at:PCT` hits when an image is loaded. */
export async function sectorToCorrupt(imagePath: string, percent: number): Promise<number> {
  const headers: ChunkHeader[] = [];
  const { chunkCount } = await inspectImage(imagePath, { onHeader: (header) => void headers.push(header) });
  const { index, share } = corruptedChunk(percent, chunkCount);
  const header = headers[index];
  if (!header) throw new RangeError('an image without chunks');
  return corruptedSector(header, share);
}
