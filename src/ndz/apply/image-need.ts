import { dataExtents } from '../codec/extents.js';
import type { ChunkHeader } from '../codec/format.js';
import { diskTooSmall } from '../../disk/target.js';

/** The last chunk is asked for first; so many others may come before it. */
const PATIENCE_CHUNKS = 64;

/**
 * Whether a disk has room for an image whose chunks come in any order. Its last chunk says what it needs: a chunk that
 * does not fit waits for that one, and nothing more is written meanwhile, so that the refusal can name the whole need.
 */
export class ImageNeed {
  readonly #path: string;
  readonly #capacityBytes: number;
  #seenBytes = 0;
  #waited = 0;
  #isWhole = false;

  constructor(path: string, capacityBytes: number) {
    this.#path = path;
    this.#capacityBytes = capacityBytes;
  }

  /** Whether a chunk reaches beyond the disk. Changes nothing. */
  exceeds(header: ChunkHeader): boolean {
    return dataEnd(header) > this.#capacityBytes;
  }

  /** Whether a chunk may be written; `isLast`: no other of the image reaches further. Throws Failure `disk-too-small`. */
  fits(header: ChunkHeader, isLast: boolean): boolean {
    this.#seenBytes = Math.max(this.#seenBytes, dataEnd(header));
    this.#isWhole ||= isLast;
    if (this.#seenBytes <= this.#capacityBytes) return true;
    if (this.#isWhole || ++this.#waited >= PATIENCE_CHUNKS) this.check();
    return false;
  }

  /** Throws Failure `disk-too-small` when a chunk did not fit. */
  check(): void {
    if (this.#seenBytes > this.#capacityBytes) throw diskTooSmall(this.#path, this.#capacityBytes, this.#seenBytes, this.#isWhole);
  }
}

function dataEnd(header: ChunkHeader): number {
  const last = dataExtents(header).at(-1);
  return last ? last.diskOffset + last.sizeBytes : 0;
}
