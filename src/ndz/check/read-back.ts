import { cutRange, readPieces, type ByteRange, type DigestGroup } from '../../disk/digest.js';
import { dataExtents } from '../codec/extents.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import type { ChunkHeader } from '../codec/format.js';

/** A place in one chunk's data, counted as it inflates: its regions one after the other. */
export type Pick = { position: number; dataOffset: number };

/** Ranges of a sample besides the first and the last region, and the most that each has. */
export const SAMPLE_RANGES = 64;
export const SAMPLE_RANGE_BYTES = 256 * 1024;
/** With no more data than the sample's ranges could hold, everything is read. */
export const WHOLE_BYTES = SAMPLE_RANGES * SAMPLE_RANGE_BYTES;
/** Of a first or last region larger than twice this, only so much at its beginning and end is read. */
const EDGE_BYTES = 8 * 1024 * 1024;
/** A digest that takes longer than a few seconds on a slow disk would look like a node that hangs. */
const GROUP_BYTES = 64 * 1024 * 1024;

/**
 * Where a sample looks, in disk order: `SAMPLE_RANGES` random sectors, one in each equal part of the data. `chunkBytes` is how much each chunk inflates to; `random` is uniform in [0, 1).
 */
export function pickSample(chunkBytes: readonly number[], random: () => number): Pick[] {
  const totalSectors = chunkBytes.reduce((sum, bytes) => sum + bytes, 0) / SECTOR_BYTES;
  const picks: Pick[] = [];
  let [position, chunkStart] = [0, 0];
  for (let part = 0; part < SAMPLE_RANGES; part++) {
    const [from, to] = [Math.floor((part * totalSectors) / SAMPLE_RANGES), Math.floor(((part + 1) * totalSectors) / SAMPLE_RANGES)];
    if (to === from) continue;
    const start = SECTOR_BYTES * (from + Math.floor(random() * (to - from)));
    while (start >= chunkStart + (chunkBytes[position] ?? Infinity)) chunkStart += chunkBytes[position++] ?? 0;
    picks.push({ position, dataOffset: start - chunkStart });
  }
  return picks;
}

/**
 * The range around a pick: regions are cut into blocks of `SAMPLE_RANGE_BYTES` from their start on, and it is the one that
 * the pick is in. So any sector is as likely to be read as any other, wherever it is in its region. Null without regions.
 */
export function rangeOfPick(header: ChunkHeader, { dataOffset }: Pick): ByteRange | null {
  const extent = dataExtents(header).findLast((each) => each.dataOffset <= dataOffset);
  if (!extent) return null;
  const skipped = Math.floor((dataOffset - extent.dataOffset) / SAMPLE_RANGE_BYTES) * SAMPLE_RANGE_BYTES;
  return { offset: extent.diskOffset + skipped, sizeBytes: Math.min(SAMPLE_RANGE_BYTES, extent.sizeBytes - skipped) };
}

/** A chunk's first or last region, whole unless it is large: then its beginning and its end. */
export function edgeRegion(header: ChunkHeader, which: 'first' | 'last'): ByteRange[] {
  const extent = dataExtents(header).at(which === 'first' ? 0 : -1);
  if (!extent) return [];
  const { diskOffset: offset, sizeBytes } = extent;
  if (sizeBytes <= 2 * EDGE_BYTES) return [{ offset, sizeBytes }];
  const tailBytes = EDGE_BYTES + (sizeBytes % SECTOR_BYTES);
  return [
    { offset, sizeBytes: EDGE_BYTES },
    { offset: offset + sizeBytes - tailBytes, sizeBytes: tailBytes },
  ];
}

/** The same bytes, each once, in disk order: a range ends before what an earlier one has of it, and is left out when that is all. */
export function withoutOverlaps(ranges: readonly ByteRange[]): ByteRange[] {
  const apart: ByteRange[] = [];
  let doneTo = 0;
  for (const { offset, sizeBytes } of [...ranges].sort((a, b) => a.offset - b.offset)) {
    const [from, to] = [Math.max(offset, doneTo), offset + sizeBytes];
    if (to <= from) continue;
    apart.push({ offset: from, sizeBytes: to - from });
    doneTo = to;
  }
  return apart;
}

/** Everything a chunk writes, in as few groups as `maxPieces` pieces and 64 MiB each allow. */
export function wholeChunk(header: ChunkHeader, maxPieces: number): DigestGroup[] {
  const groups: ByteRange[][] = [];
  let [pieces, bytes] = [Infinity, 0];
  for (const extent of dataExtents(header)) {
    for (const range of cutRange({ offset: extent.diskOffset, sizeBytes: extent.sizeBytes }, GROUP_BYTES)) {
      const more = readPieces(range).length;
      if (pieces + more > maxPieces || bytes + range.sizeBytes > GROUP_BYTES) {
        groups.push([]);
        [pieces, bytes] = [0, 0];
      }
      groups.at(-1)?.push(range);
      pieces += more;
      bytes += range.sizeBytes;
    }
  }
  return groups;
}
