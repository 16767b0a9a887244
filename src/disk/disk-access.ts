import { directIo, type DirectMemory } from '../native/direct-io.js';
import { fileSpace } from '../native/file-space.js';
import type { DirectDevice } from './direct.js';
import { DirectReads } from './direct-reads.js';
import { DirectWrites } from './direct-writes.js';
import type { PlacedWrite } from './placement.js';
import { readAllSync } from './read-all.js';
import { writeAllSync } from './target.js';
import { WriteBehind } from './write-behind.js';

/** The most that is read at once. */
export const READ_BYTES = 4 * 1024 * 1024;
/** Pieces that a thread has under way besides the one that it gathers. */
const MAX_IN_FLIGHT = 2;

/** An open disk or file, or a part of one, that threads share. */
export type DiskPlace = {
  fd: number;
  /** A block device's way past the page cache; null where it has none. */
  direct: DirectDevice | null;
  path: string;
  /** Where offset 0 is. */
  baseBytes: number;
  /** Bytes there are from there on; Infinity in a regular file. */
  limitBytes: number;
};

/**
 * How a thread gets at a disk that it reads or writes. Past the page cache writes go on while the next are made; otherwise the
 * thread waits for each.
 */
export class DiskAccess {
  readonly place: DiskPlace;
  readonly #newMemory: DirectMemory | null;
  readonly #behind: WriteBehind;
  #writes: DirectWrites | null = null;
  #reads: DirectReads | null = null;

  private constructor(place: DiskPlace, newMemory: DirectMemory | null) {
    this.place = place;
    this.#newMemory = newMemory;
    this.#behind = new WriteBehind(place.fd);
  }

  static async open(place: DiskPlace): Promise<DiskAccess> {
    return new DiskAccess(place, place.direct && (await directIo.get()));
  }

  /** Throws Failure `disk-write-failed`, also for what was put before. */
  async put({ offset, bytes, isZeros }: PlacedWrite): Promise<void> {
    const { direct, baseBytes } = this.place;
    if (!direct || !this.#newMemory) {
      writeAllSync(this.place, baseBytes + offset, bytes);
      return this.#behind.wrote(baseBytes + offset, bytes.byteLength);
    }
    this.#writes ??= new DirectWrites(this.place, {
      direct,
      newMemory: this.#newMemory,
      space: fileSpace,
      most: MAX_IN_FLIGHT,
    });
    await (isZeros ? this.#writes.putZeros(baseBytes + offset, bytes) : this.#writes.put(baseBytes + offset, bytes));
  }

  /** Begins what was put and not begun, and returns what waits for all of it; null when all is written. Both throw as `put` does. */
  async finish(): Promise<(() => Promise<void>) | null> {
    const writes = this.#writes;
    if (!writes) return null;
    await writes.flush();
    return () => writes.drain();
  }

  /**
   * At most READ_BYTES; fewer than asked for only where the disk or the partition ends. They are there until the next call.
   * Throws Failure `disk-read-failed`.
   */
  read(offset: number, wantedBytes: number): Uint8Array {
    const { direct, baseBytes, limitBytes } = this.place;
    const sizeBytes = Math.max(0, Math.min(wantedBytes, limitBytes - offset));
    if (direct && this.#newMemory) {
      this.#reads ??= new DirectReads(this.place, direct, this.#newMemory, READ_BYTES);
      return this.#reads.read(baseBytes + offset, sizeBytes);
    }
    const bytes = Buffer.allocUnsafe(sizeBytes);
    return bytes.subarray(0, readAllSync(this.place, baseBytes + offset, bytes));
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    await this.#writes?.close();
  }
}
