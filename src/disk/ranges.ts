import { MAX_SECTORS, MIN_SKIP_SECTORS, SECTOR_BYTES, type SectorRange } from './sector.js';
import type { ImageSource } from './source.js';

const SCAN_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(SCAN_BYTES);

/** Everything: the whole disk as one range, up to wherever it ends. */
export function wholeDisk(source: ImageSource): SectorRange[] {
  const endSector = source.sizeBytes === null ? MAX_SECTORS : Math.ceil(source.sizeBytes / SECTOR_BYTES);
  return endSector === 0 ? [] : [{ startSector: 0, endSector }];
}

/**
 * What is left of a disk of `sizeBytes` without its runs of 32 KiB or more of zeros. Never nothing, and always with a last
 * sector that is not whole, since its region alone can tell the exact size. Reads the source, just ahead of who asks.
 */
export async function* nonZeroRanges(source: ImageSource, sizeBytes: number): AsyncGenerator<SectorRange> {
  let open: SectorRange | undefined;
  for await (const { startSector, endSector } of nonZeroRuns(source, sizeBytes)) {
    if (open && startSector - open.endSector < MIN_SKIP_SECTORS) {
      open.endSector = endSector;
      continue;
    }
    if (open) yield open;
    open = { startSector, endSector };
  }
  yield open ?? { startSector: 0, endSector: 1 };
}

/** Runs of sectors that are not all zeros; neighbouring runs may touch. */
async function* nonZeroRuns(source: ImageSource, sizeBytes: number): AsyncGenerator<SectorRange> {
  const isKept = (bytes: Uint8Array, at: number): boolean => !isZero(bytes, at, at + SECTOR_BYTES) || bytes.byteLength - at < SECTOR_BYTES;
  for (let offset = 0; offset < sizeBytes; offset += SCAN_BYTES) {
    const bytes = await source.read(offset, Math.min(SCAN_BYTES, sizeBytes - offset));
    if (bytes.byteLength % SECTOR_BYTES === 0 && isZero(bytes, 0, bytes.byteLength)) continue;
    for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
      const start = at;
      while (at < bytes.byteLength && isKept(bytes, at)) at += SECTOR_BYTES;
      if (at > start) yield { startSector: (offset + start) / SECTOR_BYTES, endSector: (offset + at) / SECTOR_BYTES };
    }
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  const end = Math.min(to, bytes.byteLength);
  return ZEROS.compare(bytes, from, end, 0, end - from) === 0;
}
