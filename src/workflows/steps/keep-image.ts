import { checksumFile, provenanceFile, type Provenance } from '../../images/records.js';
import { placeImage } from '../../images/saved.js';
import { readStamp } from '../../images/stamp.js';
import { planRanges } from '../../disk/plan/plan.js';
import { openImageSource } from '../../ndz/read/image-source.js';
import { verifyImage } from '../../ndz/check/verify.js';
import { Failure } from '../../util/errors.js';
import type { Collected } from './collector.js';
import { isImageFault } from '../../ndz/failures.js';

export type Kept = { path: string; sha256: string; warnings: string[] };

/** Where an image comes from, as far as is known before it is there. */
export type Origin = Omit<Provenance, 'sha256' | 'sizeBytes' | 'verified'>;

/**
 * Reads a collected image back, all of it, and only then gives it a name: the first of `pathOf(1)`, `pathOf(2)` … that is
 * free, as no image is ever overwritten. Its checksum and provenance lie beside it before. Throws what `verifyImage`
 * throws; when they cannot be written, Failure `image-write-failed` for an image with a mark against it, else a warning.
 */
export async function keepImage(
  partial: string,
  pathOf: (nth: number) => string,
  from: Origin,
  { bytes, sha256 }: Collected,
  signal: AbortSignal,
): Promise<Kept> {
  await verifyImage(partial, { signal }).catch((error: unknown) => {
    throw isImageFault(error) ? error.with({ blame: 'node', cure: 'again' }) : error; // it has just made it
  });
  const warnings = from.stamp === null ? [] : await stampWarnings(partial, from.stamp, signal);
  signal.throwIfAborted();
  for (let nth = 1; ; nth += 1) {
    const path = pathOf(nth);
    try {
      const provenance = { ...from, sha256, sizeBytes: bytes, verified: true };
      if (await placeImage(partial, path, [checksumFile(path, sha256), provenanceFile(path, provenance)]))
        return { path, sha256, warnings };
    } catch (error) {
      if (!(error instanceof Failure) || from.disk !== null) throw error; // without its mark it would pass for a good one
      if (await placeImage(partial, path, []))
        return { path, sha256, warnings: [...warnings, `the image is good, but what belongs beside it is missing: ${error.message}`] };
    }
  }
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
