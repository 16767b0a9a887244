import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../util/errors.js';
import { BLOCK_BYTES, CHUNK_BLOCKS, type Geometry, geometryOf } from './geometry.js';
import type { Work } from './work-queue.js';
import { fail } from './failures.js';

const WINDOW_BLOCKS = 256;

/** The file a server sends, read through one window of 256 KiB. Reading blocks its thread, which is the sender's own. */
export class ImageFile {
  readonly geometry: Geometry;
  reads = 0;
  readBytes = 0;
  readonly #path: string;
  readonly #fd: number;
  readonly #window = Buffer.alloc(WINDOW_BLOCKS * BLOCK_BYTES);
  #from = 0;
  #blocks = 0;

  /** Opens the file. Throws Failure 'image-unreadable', or 'image-unservable' when the wire has no way to describe it. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'r');
    } catch (error) {
      throw fail('image-unreadable', `cannot open ${path}: ${messageOf(error)}`, undefined, { cause: error });
    }
    const status = fstatSync(this.#fd);
    const geometry = status.isFile() ? geometryOf(status.size) : null;
    if (!geometry) {
      closeSync(this.#fd);
      throw fail('image-unservable', `${path} cannot be served: ${status.isFile() ? `it has ${status.size} bytes` : 'not a regular file'}`);
    }
    this.geometry = geometry;
  }

  /** The bytes of `work`, at most 256 blocks, zero-padded to whole blocks: a view that the next call overwrites. */
  read(work: Work): Buffer {
    const block = work.chunk * CHUNK_BLOCKS + work.first;
    if (block < this.#from || block + work.count > this.#from + this.#blocks) this.#load(block, work.count);
    const start = (block - this.#from) * BLOCK_BYTES;
    return this.#window.subarray(start, start + work.count * BLOCK_BYTES);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #load(block: number, count: number): void {
    // going on where the last read ended means a whole chunk is being sent: read ahead
    const sequential = block === this.#from + this.#blocks || block % CHUNK_BLOCKS === 0;
    const blocks = Math.min(sequential ? WINDOW_BLOCKS : Math.max(count, 32), WINDOW_BLOCKS, this.geometry.blocks - block);
    const wanted = Math.min(blocks * BLOCK_BYTES, this.geometry.sizeBytes - block * BLOCK_BYTES);
    let got = 0;
    while (got < wanted) {
      const bytes = readSync(this.#fd, this.#window, got, wanted - got, block * BLOCK_BYTES + got);
      if (bytes === 0)
        throw fail(
          'image-truncated',
          `${this.#path} got shorter while it was being served`,
          'do not change an image that is in use; write a new one and rename it',
        );
      got += bytes;
    }
    this.#window.fill(0, got, blocks * BLOCK_BYTES);
    this.reads++;
    this.readBytes += got;
    this.#from = block;
    this.#blocks = blocks;
  }
}
