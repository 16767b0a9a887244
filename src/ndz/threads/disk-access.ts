import { DirectReads } from '../../disk/direct-reads.js';
import { DirectWrites } from '../../disk/direct-writes.js';
import type { PlacedWrite } from '../../disk/placement.js';
import { readAllSync } from '../../disk/read-all.js';
import { writeAllSync } from '../../disk/target.js';
import { WriteBehind } from '../../disk/write-behind.js';
import { directIo, type DirectMemory } from '../../native/direct-io.js';
import { fileSpace } from '../../native/file-space.js';
import type { JobTarget } from './chunk-jobs.js';

/** The most that is read at once. */
export const READ_BYTES = 4 * 1024 * 1024;
/** Pieces that a thread has under way besides the one that it gathers. */
const MAX_IN_FLIGHT = 2;

/**
 * How a thread gets at the disk that its jobs are about; places count from where the image begins on it. Past the page
 * cache writes go on while the next are made; otherwise the thread waits for each.
 */
export class DiskAccess {
  readonly target: JobTarget;
  readonly #newMemory: DirectMemory | null;
  readonly #behind: WriteBehind;
  #writes: DirectWrites | null = null;
  #reads: DirectReads | null = null;

  private constructor(target: JobTarget, newMemory: DirectMemory | null) {
    this.target = target;
    this.#newMemory = newMemory;
    this.#behind = new WriteBehind(target.fd);
  }

  static async open(target: JobTarget): Promise<DiskAccess> {
    return new DiskAccess(target, target.direct && (await directIo.get()));
  }

  /** Throws Failure `disk-write-failed`, also for what was put before. */
  async put({ offset, bytes, isZeros }: PlacedWrite): Promise<void> {
    const { direct, baseBytes } = this.target;
    if (!direct || !this.#newMemory) {
      writeAllSync(this.target, baseBytes + offset, bytes);
      return this.#behind.wrote(baseBytes + offset, bytes.byteLength);
    }
    this.#writes ??= new DirectWrites(this.target, {
      direct,
      newMemory: this.#newMemory,
      space: await fileSpace.get(),
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
    const { direct, baseBytes, limitBytes } = this.target;
    const sizeBytes = Math.max(0, Math.min(wantedBytes, limitBytes - offset));
    if (direct && this.#newMemory) {
      this.#reads ??= new DirectReads(this.target, direct, this.#newMemory, READ_BYTES);
      return this.#reads.read(baseBytes + offset, sizeBytes);
    }
    const bytes = Buffer.allocUnsafe(sizeBytes);
    return bytes.subarray(0, readAllSync(this.target, baseBytes + offset, bytes));
  }

  /** Gives the memory back when nothing is under way any more. */
  async close(): Promise<void> {
    this.#reads?.close();
    await this.#writes?.close();
  }
}
