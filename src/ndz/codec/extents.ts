import type { Extent } from '../../disk/placement.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import { endOfRegions, inflatedBytes, RELOCATION_SHORT_SECTOR, type ChunkHeader } from './format.js';

/** Where a chunk's data goes, in disk order. A SHORTSECTOR relocation shortens its region's last sector. */
export function dataExtents(header: ChunkHeader): Extent[] {
  let dataOffset = 0;
  return header.regions.map(({ startSector, sectorCount }) => {
    const fullBytes = sectorCount * SECTOR_BYTES;
    const extent = {
      diskOffset: startSector * SECTOR_BYTES,
      sizeBytes: fullBytes - cutBytes(header, startSector + sectorCount - 1),
      dataOffset,
    };
    dataOffset += fullBytes;
    return extent;
  });
}

/** The free space a chunk speaks for, in disk order: before, between and after its regions. */
export function gapExtents(header: ChunkHeader): { diskOffset: number; sizeBytes: number }[] {
  const gaps: { diskOffset: number; sizeBytes: number }[] = [];
  let sector = header.firstSector;
  for (const { startSector, sectorCount } of [...header.regions, { startSector: header.lastSector, sectorCount: 0 }]) {
    if (startSector > sector) gaps.push({ diskOffset: sector * SECTOR_BYTES, sizeBytes: (startSector - sector) * SECTOR_BYTES });
    sector = startSector + sectorCount;
  }
  return gaps;
}

/**
 * What a chunk adds to the numbers of "Wrote E bytes (A actual)", as the 2015 binaries count: E is the space the chunk
 * speaks for (in V1, from its first region to the end of its last), A the bytes really written, without zero fill.
 */
export function chunkTotals(header: ChunkHeader): { effectiveBytes: number; actualBytes: number; inflatedBytes: number } {
  return {
    effectiveBytes: (header.lastSector - header.firstSector) * SECTOR_BYTES,
    actualBytes: dataExtents(header).reduce((sum, extent) => sum + extent.sizeBytes, 0),
    inflatedBytes: inflatedBytes(header),
  };
}

/** Size in bytes of the disk that ends with this chunk; not a multiple of 512 when its very last sector is a short one. */
export function diskEndBytes(header: ChunkHeader): number {
  const cut = header.lastSector === endOfRegions(header.regions) ? cutBytes(header, header.lastSector - 1) : 0;
  return header.lastSector * SECTOR_BYTES - cut;
}

function cutBytes(header: ChunkHeader, lastSectorOfRegion: number): number {
  const short = header.relocations.find(({ type, sector }) => type === RELOCATION_SHORT_SECTOR && sector === lastSectorOfRegion);
  return short ? SECTOR_BYTES - short.sizeBytes : 0;
}
