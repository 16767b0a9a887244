import type { DirectMemory } from '../native/direct-io.js';
import { systemCode } from '../util/errors.js';
import type { DirectDevice } from './direct.js';
import { readAllSync } from './read-all.js';

/** Reads past the page cache, in this thread, which waits for it; through it once the device has refused that. */
export class DirectReads {
  readonly #cached: { fd: number; path: string };
  readonly #direct: DirectDevice;
  readonly #memory: Buffer;
  #isRefused = false;

  /** Reads of at most `mostBytes`. Throws when there is no memory for them. */
  constructor(cached: { fd: number; path: string }, direct: DirectDevice, newMemory: DirectMemory, mostBytes: number) {
    this.#cached = cached;
    this.#direct = direct;
    this.#memory = newMemory(mostBytes + 2 * direct.unitBytes);
  }

  /** The bytes at `offset`, fewer only where the device ends; they are there until the next call. Throws Failure `disk-read-failed`. */
  read(offset: number, sizeBytes: number): Uint8Array {
    const { unitBytes } = this.#direct;
    const skipped = offset % unitBytes;
    const units = this.#memory.subarray(0, Math.ceil((skipped + sizeBytes) / unitBytes) * unitBytes);
    const count = this.#fill(offset - skipped, units);
    return units.subarray(skipped, Math.max(skipped, Math.min(count, skipped + sizeBytes)));
  }

  #fill(offset: number, units: Uint8Array): number {
    const { path } = this.#cached;
    try {
      return readAllSync(this.#isRefused ? this.#cached : { fd: this.#direct.fd, path }, offset, units);
    } catch (error) {
      if (this.#isRefused || !(error instanceof Error) || systemCode(error.cause) !== 'EINVAL') throw error;
      this.#isRefused = true;
      return this.#fill(offset, units);
    }
  }
}
