import { Failure } from '../../util/errors.js';
import { chunkTotals, diskEndBytes } from '../codec/extents.js';
import { endOfRegions, type ChunkHeader } from '../codec/format.js';
import { fail } from '../failures.js';

/** What is known of an image before its chunks come. */
export type ImageExpectation = {
  /** 32 hex digits: chunks of another image, or of a format version that carries no UUID, are refused. */
  imageUuid?: string;
};

/** The sectors one chunk speaks for, and those its data covers. */
type Span = { first: number; last: number; dataStart: number; dataEnd: number };

/** Holds that chunks, in whatever order they come, are of one image and none comes twice; adds up their numbers. */
export class ImageTracker {
  readonly totals = { effectiveBytes: 0, actualBytes: 0, inflatedBytes: 0 };
  /** Size of the imaged disk, as far as seen. */
  endBytes = 0;
  readonly #imageUuid: string | undefined;
  readonly #spans = new Map<number, Span>();
  #chunkCount: number | null = null;
  #highest = -1;
  #first: ChunkHeader | undefined;

  constructor({ imageUuid }: ImageExpectation = {}) {
    this.#imageUuid = imageUuid?.toLowerCase();
  }

  /** Whether nothing has been added yet. */
  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Says how many chunks the image has, where that is known beforehand. */
  expect(chunkCount: number): void {
    this.#chunkCount = chunkCount;
  }

  /**
   * Whether a chunk that came as number `position`, where such a number is known, can be the next one. Changes nothing.
   * Throws Failure `ndz-foreign-image`, `ndz-uuid-mismatch`, `ndz-chunk-order`, `ndz-truncated` or `ndz-duplicate-chunk`.
   */
  check(header: ChunkHeader, position?: number): void {
    this.#checkIdentity(header);
    this.#checkNumber(header, position);
  }

  /** Takes in a chunk. Throws as `check`. */
  add(header: ChunkHeader, position?: number): void {
    this.check(header, position);
    this.#first ??= header;
    const { index, firstSector: first, lastSector: last, regions } = header;
    this.#spans.set(index, { first, last, dataStart: regions[0]?.startSector ?? first, dataEnd: endOfRegions(regions) });
    this.#highest = Math.max(this.#highest, index);
    const { effectiveBytes, actualBytes, inflatedBytes } = chunkTotals(header);
    this.totals.effectiveBytes += effectiveBytes;
    this.totals.actualBytes += actualBytes;
    this.totals.inflatedBytes += inflatedBytes;
    this.endBytes = Math.max(this.endBytes, diskEndBytes(header));
  }

  /** Throws Failure `ndz-missing-chunk`, or `ndz-chunk-order` when the chunks do not speak for one disk from its first to its last sector. */
  checkComplete(): void {
    const missing = (this.#chunkCount ?? this.#highest + 1) - this.#spans.size;
    if (missing > 0) {
      let index = 0;
      while (this.#spans.has(index)) index++;
      throw fail(
        'ndz-missing-chunk',
        `chunk ${index}${missing > 1 ? ` and ${missing - 1} more` : ''} of the image never came`,
        'is the image complete?',
      );
    }
    const hasGaps = this.#first?.version === 1; // it does not say where its free space begins and ends
    let [end, dataEnd] = [0, 0];
    for (let index = 0; index < this.#spans.size; index++) {
      const span = this.#spans.get(index);
      if (!span) continue;
      if (hasGaps ? span.first < end : span.first !== end)
        throw outOfOrder(`chunk ${index} speaks for sectors from ${span.first} on, the one before up to ${end}`);
      if (span.dataStart < dataEnd) throw outOfOrder(`the regions of chunk ${index} overlap those of the chunks before`);
      [end, dataEnd] = [span.last, span.dataEnd];
    }
  }

  #checkIdentity(header: ChunkHeader): void {
    if (this.#imageUuid !== undefined && header.uuid !== this.#imageUuid) {
      const seen =
        header.uuid === null ? `is of format version ${header.version}, which carries no image UUID` : `belongs to image ${header.uuid}`;
      throw fail(
        'ndz-foreign-image',
        `chunk ${header.index} ${seen}; expected image ${this.#imageUuid}`,
        'does another server use this group and port?',
      );
    }
    const first = this.#first ?? header;
    if (header.uuid === first.uuid && header.version === first.version) return;
    throw fail(
      'ndz-uuid-mismatch',
      `chunk ${header.index} belongs to another image: ${identity(header)}, the first chunk had ${identity(first)}`,
      'were two images joined, or do two servers use one address?',
    );
  }

  #checkNumber({ index, total, version }: ChunkHeader, position: number | undefined): void {
    const count = this.#chunkCount;
    if (position !== undefined && index !== position) throw outOfOrder(`chunk ${position} is numbered ${index}`);
    if (count !== null && index >= count) throw outOfOrder(`chunk ${index} of an image of ${count} chunks`);
    if (version === 1 && total !== 0 && count !== null && total !== count) {
      throw fail('ndz-truncated', `chunk ${index} says the image has ${total} chunks, ${count} are sent`, 'is the image complete?');
    }
    if (this.#spans.has(index)) throw fail('ndz-duplicate-chunk', `chunk ${index} came twice`, 'is the image damaged?');
  }
}

function outOfOrder(message: string): Failure {
  return fail('ndz-chunk-order', message, 'are chunks missing, or were two images joined?');
}

function identity({ version, uuid }: ChunkHeader): string {
  return uuid === null ? `version ${version}` : `version ${version}, uuid ${uuid}`;
}
