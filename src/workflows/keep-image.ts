import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeChecksum } from '../images/checksum-file.js';
import { placeUnlessTaken } from '../images/place.js';
import { writeProvenance, type Provenance } from '../images/provenance.js';
import { readStamp } from '../images/stamp.js';
import { planRanges } from '../ndz/allocation/plan.js';
import { openImageSource } from '../ndz/image-reader.js';
import { verifyImage } from '../ndz/reader.js';
import { messageOf } from '../util/errors.js';
import type { Collected } from './collector.js';

export type Kept = { path: string; sha256: string; warnings: string[] };

/**
 * Reads a collected image back, all of it, and only then gives it a name: the first of `pathOf(1)`, `pathOf(2)` … that is
 * free, as no image is ever overwritten. Its checksum and provenance go beside it. Throws what `verifyImage` throws.
 */
export async function keepImage(partial: string, pathOf: (nth: number) => string, from: Omit<Provenance, 'sha256' | 'sizeBytes' | 'verified'>, { bytes, sha256 }: Collected, signal: AbortSignal): Promise<Kept> {
  await verifyImage(partial, { signal });
  const warnings = from.stamp === null ? [] : await stampWarnings(partial, from.stamp, signal);
  signal.throwIfAborted();
  const path = await linkUnderFreeName(partial, pathOf);
  try {
    await writeChecksum(path, sha256);
    await writeProvenance(path, { ...from, sha256, sizeBytes: bytes, verified: true });
  } catch (error) {
    warnings.push(`the image is good, but what belongs beside it is missing: ${messageOf(error)}`);
  }
  return { path, sha256, warnings };
}

/** A stamp that was written on the node must be in what came from it, as far as file systems can be read here. */
async function stampWarnings(partial: string, expected: string, signal: AbortSignal): Promise<string[]> {
  const { source } = await openImageSource(partial, signal);
  try {
    const { partitions } = await planRanges(source, { signal });
    const seen = await readStamp(source, partitions);
    return seen === null || seen === expected ? [] : [`its stamp did not get into the image, which says ${JSON.stringify(seen)}`];
  } finally {
    await source.close();
  }
}

async function linkUnderFreeName(file: string, pathOf: (nth: number) => string): Promise<string> {
  for (let nth = 1; ; nth += 1) {
    const path = pathOf(nth);
    if (!(await placeUnlessTaken(file, path))) continue;
    await syncFolder(dirname(path));
    return path;
  }
}

/** Best effort: some file systems cannot. */
async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
