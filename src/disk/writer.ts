import { reasonOf, untilAborted } from '../util/abort.js';
import type { TargetKind } from './device.js';
import { diskTooSmall, diskWriteFailure, openTarget, type OpenTarget } from './target.js';

const PIECE_BYTES = 512 * 1024;
/** As many as the I/O threads Node.js has by default. */
const MAX_IN_FLIGHT = 4;
const ZEROS = new Uint8Array(PIECE_BYTES);

/** How the writing went. */
export type WriteStats = {
  /** Write calls; how many of them wrote zero fill; how many did not continue where the one before ended. */
  writes: number;
  zeroWrites: number;
  seeks: number;
  /** How often the next piece had to wait for the disk. */
  blocked: number;
  /** Most pieces, and bytes in them, that were under way at once. */
  peakBuffers: number;
  peakBufferBytes: number;
};

/**
 * Writes at given places of a regular file, a block device or a character device, a few pieces at a time. `write`
 * resolves when its last piece is under way, so the next chunk can be inflated meanwhile; what goes wrong then is thrown
 * by the next call, and by `drain` at the latest. The bytes handed in must not change until `drain`.
 */
export class DiskWriter {
  readonly path: string;
  readonly kind: TargetKind;
  /** Bytes on a block device, Infinity otherwise. */
  readonly capacityBytes: number;
  readonly stats: WriteStats = { writes: 0, zeroWrites: 0, seeks: 0, blocked: 0, peakBuffers: 0, peakBufferBytes: 0 };
  readonly #target: OpenTarget;
  readonly #signal: AbortSignal | undefined;
  /** Where on the disk offset 0 is; null when it is the disk's own. */
  readonly #baseBytes: number | null;
  readonly #inFlight = new Set<Promise<void>>();
  #inFlightBytes = 0;
  #failure: Error | undefined;
  #nextOffset = 0;
  #closed: Promise<void> | undefined;

  private constructor(target: OpenTarget, signal: AbortSignal | undefined, baseBytes: number | null) {
    this.path = target.path;
    this.#target = target;
    this.kind = target.kind;
    this.capacityBytes = target.capacityBytes;
    this.#signal = signal;
    this.#baseBytes = baseBytes;
  }

  /**
   * Opens `path` for writing: a regular file is created, and emptied by `empty`; a device is left as it is.
   * With `baseBytes` offsets count from there, and a regular file, which must exist, keeps its size and what is not written.
   * Throws Failure `disk-open-failed` naming path and cause, or the signal's reason.
   */
  static async open(
    path: string,
    { signal, baseBytes = null }: { signal?: AbortSignal | undefined; baseBytes?: number | null } = {},
  ): Promise<DiskWriter> {
    if (signal?.aborted) throw reasonOf(signal);
    return new DiskWriter(await openTarget(path, baseBytes === null ? { emptyLater: true } : { keep: true }), signal, baseBytes);
  }

  /** Call before the first write: a regular file that is written as a whole forgets what it held. */
  async empty(): Promise<void> {
    if (this.#baseBytes === null) await this.#target.empty();
  }

  /** Puts `bytes` at `offset`. Throws Failure `disk-too-small` or `disk-write-failed`, or the signal's reason. */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#checkFits(offset, bytes.byteLength);
    for (let done = 0; done < bytes.byteLength; done += PIECE_BYTES) {
      await this.#start(offset + done, bytes.subarray(done, done + PIECE_BYTES));
    }
  }

  /** Makes `sizeBytes` from `offset` read as zeros; on a fresh regular file nothing needs to be written for that. */
  async writeZeros(offset: number, sizeBytes: number): Promise<void> {
    if (this.kind === 'file' && this.#baseBytes === null) return;
    this.#checkFits(offset, sizeBytes);
    for (let done = 0; done < sizeBytes; done += PIECE_BYTES) {
      await this.#start(offset + done, ZEROS.subarray(0, Math.min(PIECE_BYTES, sizeBytes - done)));
      this.stats.zeroWrites++;
    }
  }

  /** Waits for what is under way; throws what went wrong with it. */
  async drain(): Promise<void> {
    await this.#untilAborted(Promise.all(this.#inFlight));
    this.#check();
  }

  /** Waits for what is under way, makes a regular file exactly `sizeBytes` long, puts everything on the medium, and closes. */
  async finish(sizeBytes: number): Promise<void> {
    await this.drain();
    await this.#target.commit(this.#baseBytes === null ? sizeBytes : null);
    await this.close();
  }

  /** Waits for what is under way and closes; what was written stays. May be called more than once. */
  close(): Promise<void> {
    this.#closed ??= Promise.all(this.#inFlight).then(() => this.#target.discard());
    return this.#closed;
  }

  #check(): void {
    if (this.#signal?.aborted) throw reasonOf(this.#signal);
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new Error(`${this.path} is closed`);
  }

  #untilAborted<T>(promise: Promise<T>): Promise<T> {
    return this.#signal ? untilAborted(this.#signal, promise) : promise;
  }

  #checkFits(offset: number, sizeBytes: number): void {
    const endBytes = (this.#baseBytes ?? 0) + offset + sizeBytes;
    if (endBytes > this.capacityBytes) throw diskTooSmall(this.path, this.capacityBytes, endBytes, false);
  }

  async #start(offset: number, piece: Uint8Array): Promise<void> {
    this.#check();
    if (this.#inFlight.size >= MAX_IN_FLIGHT) {
      this.stats.blocked++;
      while (this.#inFlight.size >= MAX_IN_FLIGHT) await this.#untilAborted(Promise.race(this.#inFlight));
      this.#check();
    }
    const work: Promise<void> = this.#writeAll(offset, piece)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.#inFlight.delete(work);
        this.#inFlightBytes -= piece.byteLength;
      });
    this.#inFlight.add(work);
    this.#inFlightBytes += piece.byteLength;
    this.#count(offset, piece.byteLength);
  }

  #count(offset: number, sizeBytes: number): void {
    this.stats.writes++;
    if (offset !== this.#nextOffset) this.stats.seeks++;
    this.#nextOffset = offset + sizeBytes;
    this.stats.peakBuffers = Math.max(this.stats.peakBuffers, this.#inFlight.size);
    this.stats.peakBufferBytes = Math.max(this.stats.peakBufferBytes, this.#inFlightBytes);
  }

  async #writeAll(placeBytes: number, piece: Uint8Array): Promise<void> {
    const offset = (this.#baseBytes ?? 0) + placeBytes;
    for (let done = 0; done < piece.byteLength; ) {
      try {
        const { bytesWritten } = await this.#target.handle.write(piece, done, piece.byteLength - done, offset + done);
        if (bytesWritten === 0) throw new Error('nothing was written');
        done += bytesWritten;
      } catch (error) {
        throw diskWriteFailure(this.path, offset + done, error);
      }
    }
  }
}
