import type { Capability } from '../native/capability.js';
import { fileSpace, type FileSpace } from '../native/file-space.js';

/** So much is written before the kernel is told to go ahead with it: small files never are. */
const STEP_BYTES = 8 * 1024 * 1024;

/**
 * Has the kernel write out what the page cache took of a file while more is written. So the disk is busy from early on, little
 * is left for the end, and less memory is dirty meanwhile. What goes wrong is told when the file is synced.
 */
export class WriteBehind {
  readonly #fd: number;
  readonly #capability: Pick<Capability<FileSpace>, 'get'>;
  /** null: not asked for yet, or not to be had. */
  #space: FileSpace | null = null;
  #isOff = false;
  #bytes = 0;
  #from = Infinity;
  #to = 0;

  constructor(fd: number, capability: Pick<Capability<FileSpace>, 'get'> = fileSpace) {
    this.#fd = fd;
    this.#capability = capability;
  }

  /** Call when bytes have been written, in whatever order. */
  async wrote(offset: number, sizeBytes: number): Promise<void> {
    if (this.#isOff) return;
    this.#bytes += sizeBytes;
    this.#from = Math.min(this.#from, offset);
    this.#to = Math.max(this.#to, offset + sizeBytes);
    if (this.#bytes < STEP_BYTES) return;
    const [from, to] = [this.#from, this.#to];
    [this.#bytes, this.#from, this.#to] = [0, Infinity, 0];
    try {
      this.#space ??= await this.#capability.get();
      if (this.#space) this.#space.beginSync(this.#fd, from, to - from);
      else this.#isOff = true;
    } catch {
      this.#isOff = true;
    }
  }
}
