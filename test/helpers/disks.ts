import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { planRanges } from '../../src/disk/plan/plan.js';
import type { Plan, PlanOptions } from '../../src/disk/plan/plan-types.js';
import type { SectorRange } from '../../src/disk/sector.js';
import type { ImageSource } from '../../src/disk/source.js';

const folder = new URL('../fixtures/ndz/disks/', import.meta.url);

/** Free sectors of each disk, [first, end), as other programs tell (see the folder's README). */
export const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<string, [number, number][]>;
export const diskNames = Object.keys(expected);

/** A fresh copy of a disk, to be changed at will. */
export function disk(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`${name}.img.gz`, folder)));
}

function memorySource(bytes: Uint8Array): ImageSource {
  return {
    name: '/no/such/disk',
    sizeBytes: bytes.byteLength,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
    close: () => Promise.resolve(),
  };
}

export function plan(bytes: Uint8Array, options?: PlanOptions): Promise<Plan> {
  return planRanges(memorySource(bytes), options);
}

/** The sectors that a plan leaves out, [first, end). */
export function leftOut({ ranges, diskSectors }: Plan): [number, number][] {
  const gaps: [number, number][] = [];
  let at = 0;
  for (const { startSector, endSector } of [...ranges, { startSector: diskSectors, endSector: diskSectors }]) {
    if (startSector > at) gaps.push([at, startSector]);
    at = endSector;
  }
  return gaps;
}

/** Whether all of `inner` lies in `outer`, both ascending. */
export function isWithin(inner: [number, number][], outer: [number, number][]): boolean {
  return inner.every(([first, end]) => outer.some(([from, to]) => first >= from && end <= to));
}

/** What is wrong with a list of ranges, or null. */
export function faultOf(ranges: SectorRange[], diskSectors: number): string | null {
  let at = -1;
  for (const { startSector, endSector } of ranges) {
    if (!Number.isSafeInteger(startSector) || !Number.isSafeInteger(endSector)) return `${startSector} to ${endSector} are no sectors`;
    if (startSector <= at || startSector >= endSector || endSector > diskSectors)
      return `${startSector} to ${endSector} of ${diskSectors}, after ${at}`;
    at = endSector;
  }
  return null;
}

/** What is said of those disks of this folder whose free space is filled up to the disk's end. */
export const TAIL_NOTE = "the disk's last sectors, behind its last partition, hold something that is not known here: left out";

/** Where a disk of this folder has its (first) partition. */
export const PARTITION_BYTES = 2048 * 512;
