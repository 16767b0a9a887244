import { Failure } from '../util/errors.js';
import { chunkTotals, diskEndBytes } from './extents.js';
import type { ChunkHeader } from './format.js';

/** Holds that chunks, in whatever order they come, are of one image and none comes twice; adds up their numbers. */
export class ImageTracker {
  readonly totals = { effectiveBytes: 0, actualBytes: 0, inflatedBytes: 0 };
  /** Size of the imaged disk, as far as seen. */
  endBytes = 0;
  readonly #seen = new Set<number>();
  #highest = -1;
  #first: ChunkHeader | undefined;

  /** Throws Failure `ndz-uuid-mismatch` or `ndz-duplicate-chunk`. */
  add(header: ChunkHeader): void {
    const first = (this.#first ??= header);
    if (header.uuid !== first.uuid || header.version !== first.version) {
      throw new Failure('ndz-uuid-mismatch',
        `chunk ${header.index} belongs to another image: ${identity(header)}, the first chunk had ${identity(first)}`,
        'were two images joined, or do two servers use one address?');
    }
    if (this.#seen.has(header.index)) throw new Failure('ndz-duplicate-chunk', `chunk ${header.index} came twice`, 'is the image damaged?');
    this.#seen.add(header.index);
    this.#highest = Math.max(this.#highest, header.index);
    const { effectiveBytes, actualBytes, inflatedBytes } = chunkTotals(header);
    this.totals.effectiveBytes += effectiveBytes;
    this.totals.actualBytes += actualBytes;
    this.totals.inflatedBytes += inflatedBytes;
    this.endBytes = Math.max(this.endBytes, diskEndBytes(header));
  }

  /** Throws Failure `ndz-missing-chunk` when numbers are missing below the highest seen. */
  checkComplete(): void {
    const missing = this.#highest + 1 - this.#seen.size;
    if (missing === 0) return;
    let index = 0;
    while (this.#seen.has(index)) index++;
    throw new Failure('ndz-missing-chunk', `chunk ${index}${missing > 1 ? ` and ${missing - 1} more` : ''} of the image never came`, 'is the image complete?');
  }
}

function identity({ version, uuid }: ChunkHeader): string {
  return uuid === null ? `version ${version}` : `version ${version}, uuid ${uuid}`;
}
