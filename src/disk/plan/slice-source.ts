import { SECTOR_BYTES } from '../sector.js';
import type { ImageSource } from '../source.js';

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
