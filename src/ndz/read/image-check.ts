import { Failure } from '../../util/errors.js';
import { endingOf, type Ending } from './ending.js';
import { chunkTotals, diskEndBytes } from '../codec/extents.js';
import { endOfRegions, type ChunkHeader, type ChunkVersion } from '../codec/format.js';
import { refuseEncrypted } from '../codec/inflate.js';
import { fail } from '../failures.js';

/** What the headers of a whole image say. */
export type ImageSummary = {
  version: ChunkVersion;
  /** 32 hex digits; null before V4. */
  uuid: string | null;
  /** Size of the disk that was imaged (in V1: as far as its data reaches). */
  diskBytes: number;
  /** E and A of the "Wrote E bytes (A actual)" a client prints after loading this image without zero fill. */
  effectiveBytes: number;
  actualBytes: number;
  /** Whether every chunk carries a SHA1 that is verified on loading. */
  checksums: boolean;
  /** What the last chunk there is tells of the image's end. */
  ending: Ending;
};

/** Folds the headers of an image, in file order, into what is known of it. */
export class ImageCheck {
  readonly #chunkCount: number | null;
  #first: ChunkHeader | undefined;
  #last: ChunkHeader | undefined;
  #effectiveBytes = 0;
  #actualBytes = 0;
  #checksums = true;

  /** `chunkCount` is null when the image comes through a pipe. */
  constructor(chunkCount: number | null) {
    this.#chunkCount = chunkCount;
  }

  /** Throws Failure `ndz-chunk-order`, `ndz-uuid-mismatch`, `ndz-truncated` or `ndz-encrypted`. */
  add(header: ChunkHeader, position: number): void {
    const where = `chunk ${position}`;
    refuseEncrypted(header, where);
    const first = (this.#first ??= header);
    if (header.index !== position) throw outOfOrder(`${where}: numbered ${header.index}`);
    if (header.version !== first.version) throw otherImage(`${where}: version ${header.version}, chunk 0 has version ${first.version}`);
    if (header.uuid !== first.uuid) throw otherImage(`${where}: uuid ${header.uuid}, chunk 0 has ${first.uuid}`);
    if (header.version === 1 && header.total !== 0 && this.#chunkCount !== null && header.total !== this.#chunkCount) {
      throw fail(
        'ndz-truncated',
        `${where}: says the image has ${header.total} chunks, the file has ${this.#chunkCount}`,
        'copy the image again',
      );
    }
    if (header.version === 1 && header.total !== first.total) {
      throw otherImage(`${where}: says the image has ${header.total} chunks, chunk 0 says ${first.total}`);
    }
    if (header.endMark && header.endMark.chunkCount > 0 && header.endMark.chunkCount !== position + 1) {
      throw outOfOrder(`${where}: says that it is the last of ${header.endMark.chunkCount}`);
    }
    if (this.#last?.endMark && this.#last.endMark.chunkCount > 0) throw outOfOrder(`${where}: follows one that says it is the last`);
    this.#checkContinues(header, where);
    const { effectiveBytes, actualBytes } = chunkTotals(header);
    this.#effectiveBytes += effectiveBytes;
    this.#actualBytes += actualBytes;
    this.#checksums &&= header.checksumType === 'sha1';
    this.#last = header;
  }

  /** Throws Failure `ndz-empty`, or `ndz-truncated` for a V1 image that came through a pipe in part. */
  result(): ImageSummary {
    if (!this.#first || !this.#last) throw fail('ndz-empty', 'no chunks');
    const { version, uuid, total } = this.#first;
    if (version === 1 && total !== 0 && this.#last.index + 1 !== total) {
      throw fail('ndz-truncated', `chunk 0 says the image has ${total} chunks, and ${this.#last.index + 1} came`, 'copy the image again');
    }
    const [effectiveBytes, actualBytes, checksums] = [this.#effectiveBytes, this.#actualBytes, this.#checksums];
    return { version, uuid, diskBytes: diskEndBytes(this.#last), effectiveBytes, actualBytes, checksums, ending: endingOf(this.#last) };
  }

  #checkContinues(header: ChunkHeader, where: string): void {
    const expected = this.#last?.lastSector ?? 0;
    if (header.version === 1) {
      if (header.firstSector < expected)
        throw outOfOrder(`${where}: starts at sector ${header.firstSector}, the chunk before ends at ${expected}`);
    } else if (header.firstSector !== expected) {
      throw outOfOrder(`${where}: speaks for sectors from ${header.firstSector} on, expected ${expected}`);
    }
    if (this.#last && endOfRegions(this.#last.regions) > (header.regions[0]?.startSector ?? 0))
      throw outOfOrder(`${where}: its regions overlap the chunk before`);
  }
}

function outOfOrder(message: string): Failure {
  return fail('ndz-chunk-order', message, 'are chunks missing, or is this a piece of an image?');
}

function otherImage(message: string): Failure {
  return fail('ndz-uuid-mismatch', message, 'were two images joined?');
}
