import { MAX_SECTORS, SECTOR_BYTES } from './format.js';
import type { ImageSource } from './source.js';

/** Sectors to save: from `startSector` up to, not including, `endSector`. Lists of them ascend and do not touch. */
export type SectorRange = { startSector: number; endSector: number };

/** Free runs shorter than this are saved with the rest: a region costs more than it spares (as the 2015 imagezip does). */
const MIN_HOLE_SECTORS = 64;
const SCAN_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(SCAN_BYTES);

/** Everything: the whole disk as one range, up to wherever it ends. */
export function wholeDisk(source: ImageSource): SectorRange[] {
  const endSector = source.sizeBytes === null ? MAX_SECTORS : Math.ceil(source.sizeBytes / SECTOR_BYTES);
  return endSector === 0 ? [] : [{ startSector: 0, endSector }];
}

/** What is left of a disk without its runs of 32 KiB or more of zeros. Reads the source, just ahead of who asks. */
export async function* nonZeroRanges(source: ImageSource & { sizeBytes: number }): AsyncGenerator<SectorRange> {
  let open: SectorRange | undefined;
  for await (const { startSector, endSector } of nonZeroRuns(source)) {
    if (open && startSector - open.endSector < MIN_HOLE_SECTORS) {
      open.endSector = endSector;
      continue;
    }
    if (open) yield open;
    open = { startSector, endSector };
  }
  if (open) yield open;
}

/** Runs of sectors that are not all zeros; neighbouring runs may touch. */
async function* nonZeroRuns(source: ImageSource & { sizeBytes: number }): AsyncGenerator<SectorRange> {
  for (let offset = 0; offset < source.sizeBytes; offset += SCAN_BYTES) {
    const bytes = await source.read(offset, Math.min(SCAN_BYTES, source.sizeBytes - offset));
    if (bytes.byteLength === 0) return;
    if (isZero(bytes, 0, bytes.byteLength)) continue;
    for (let at = 0; at < bytes.byteLength; ) {
      const start = at;
      while (at < bytes.byteLength && !isZero(bytes, at, at + SECTOR_BYTES)) at += SECTOR_BYTES;
      if (at > start) yield { startSector: (offset + start) / SECTOR_BYTES, endSector: Math.ceil((offset + at) / SECTOR_BYTES) };
      at += SECTOR_BYTES;
    }
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  const end = Math.min(to, bytes.byteLength);
  return ZEROS.compare(bytes, from, end, 0, end - from) === 0;
}
