import { statfsSync } from 'node:fs';
import { DISK_HEAD_BYTES, neededSectors } from '../disk/needed-sectors.js';
import { SECTOR_BYTES } from '../disk/sector.js';
import { fail as ndzFail } from '../ndz/failures.js';
import { fail } from './failures.js';

const GIB = 2 ** 30;
/** What the file system of the cache must keep: others write there, too. Of a small one a part is enough. */
const RESERVE_BYTES = GIB;
const RESERVE_SHARE = 0.05;
/** How much is written between two looks at the free space, at most. */
const LOOK_BYTES = 32 * 2 ** 20;

/** Watches the free space of a folder while something is written there. */
export class FreeSpace {
  readonly #folder: string;
  readonly #what: string;
  /** What may be written before the next look. */
  #allowedBytes = 0;

  /** `what` is written, for messages. */
  constructor(folder: string, what: string) {
    this.#folder = folder;
    this.#what = what;
  }

  /** To be called before `bytes` are written. Throws Failure `no-room` when less than the reserve would be left. */
  take(bytes: number): void {
    this.#allowedBytes -= bytes;
    if (this.#allowedBytes >= 0) return;
    const { bavail, bsize, blocks } = statfsSync(this.#folder);
    const [free, reserve] = [bavail * bsize, Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE)];
    this.#allowedBytes = Math.min(Math.max(LOOK_BYTES, bytes), free - reserve) - bytes; // what is left of it after this piece
    if (this.#allowedBytes >= 0) return;
    throw fail(
      'no-room',
      `${this.#what} is not converted: ${this.#folder} has only ${mebibytes(free)} MiB free, of which ${mebibytes(reserve)} MiB stay so`,
      'free some space there; images that nobody loads any more are removed after 60 days',
    );
  }
}

/** The largest disk that the image format describes: its sector numbers have 32 bits. */
export const LARGEST_DISK_BYTES = 2 ** 41;
/** What is unpacked in any case, and how many times the packed bytes: gzip reaches 1030 at most. */
const FREE_OF_DOUBT_BYTES = GIB;
const FREE_OF_DOUBT_RATIO = 1100;

export type DiskLimits = {
  /** The disks it is for. */ largestDiskBytes: number /** What a .bmap says that it has; null without one. */;
  exactBytes: number | null;
};

/** Throws Failure `source-too-large` for a disk of `diskBytes`, as far as it is known now. */
export function refuseTooLarge(what: string, diskBytes: number, { largestDiskBytes, exactBytes }: DiskLimits): void {
  if (exactBytes !== null && diskBytes > exactBytes)
    throw fail(
      'bmap-mismatch',
      `${what} is more than the ${exactBytes} bytes that its .bmap says`,
      'copy both again from where they came from',
    );
  if (diskBytes <= largestDiskBytes) return;
  const isOurs = largestDiskBytes < LARGEST_DISK_BYTES;
  throw ndzFail(
    'source-too-large',
    `${what} is more than ${isOurs ? `the ${(largestDiskBytes / 1e9).toFixed(1)} GB that disks may have here` : '2 TiB'}`,
    isOurs ? 'is it the right file? frisbee.largest_disk says how large they are' : 'the image format ends there',
  );
}

/**
 * Refuses what unpacks into much more than any disk does: many times its packed size, and more than the table or the file
 * system at its beginning (`head`) speaks of. Throws Failure `source-too-large`.
 */
export function refuseEndless(what: string, unpackedBytes: number, packedBytes: number, head: Buffer): void {
  if (unpackedBytes <= FREE_OF_DOUBT_BYTES + FREE_OF_DOUBT_RATIO * packedBytes) return;
  const need = neededSectors(head.subarray(0, DISK_HEAD_BYTES));
  if (need && unpackedBytes <= need.sectors * SECTOR_BYTES + GIB) return;
  const beyond = need
    ? `${need.says} ends at ${mebibytes(need.sectors * SECTOR_BYTES)} MiB`
    : 'it begins with no partition table and no file system that says how large it is';
  throw ndzFail(
    'source-too-large',
    `${what} goes on behind ${mebibytes(unpackedBytes)} MiB, out of ${packedBytes} bytes, and ${beyond}`,
    'is it an image of a disk? if so, unpack it yourself, and load the raw disk',
  );
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
