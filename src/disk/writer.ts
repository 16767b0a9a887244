import { reasonOf } from '../util/abort.js';
import type { TargetKind } from './device.js';
import type { Slice } from './slice.js';
import { Placer, type Extent, type PlacedWrite, type PlacementStats } from './placement.js';
import { openWrites } from './open-writes.js';
import { openTarget, type OpenTarget } from './target.js';
import type { FlightStats, Writes } from './writes.js';

/** The most that one write has: small enough for several to be under way. */
const PIECE_BYTES = 512 * 1024;
/** As many as the I/O threads Node.js has by default. */
const MAX_IN_FLIGHT = 4;

/** How the writing went. */
export type WriteStats = PlacementStats & FlightStats;

/**
 * Writes at given places of a regular file, a block device, a part of one, or a character device, a few pieces at a time; to a
 * block device past the page cache, where that is possible. A write resolves when its last piece
 * is under way, so the next chunk can be inflated meanwhile; what goes wrong then is thrown by the next call, and by `drain` at the latest. The bytes handed in must not change until `settled` or `drain`.
 */
export class DiskWriter {
  readonly path: string;
  readonly kind: TargetKind;
  /** Bytes there are for the image; Infinity in a regular file. */
  readonly limitBytes: number;
  readonly #placer: Placer;
  readonly #writes: Writes;
  readonly #target: OpenTarget;
  readonly #signal: AbortSignal | undefined;
  /** The part of the disk that is written; null for all of it. */
  readonly #part: Slice | null;
  #closed: Promise<void> | undefined;

  private constructor(target: OpenTarget, writes: Writes, signal: AbortSignal | undefined, part: Slice | null) {
    this.path = target.path;
    this.#target = target;
    this.#writes = writes;
    this.kind = target.kind;
    this.limitBytes = part?.sizeBytes ?? target.capacityBytes;
    this.#signal = signal;
    this.#part = part;
    this.#placer = new Placer({
      path: target.path,
      limitBytes: this.limitBytes,
      cutsOff: part !== null,
      isBlank: target.kind === 'file' && part === null,
      pieceBytes: PIECE_BYTES,
    });
  }

  get stats(): WriteStats {
    return { ...this.#placer.stats, ...this.#writes.stats };
  }

  /**
   * Opens `path` for writing: a regular file is created, and emptied by `empty`; a device is left as it is.
   * Of a `part` nothing outside is written, offsets count from its start, and data beyond its end is left out; a regular file,
   * which must exist, keeps its size and what is not written.
   * Throws Failure `disk-open-failed` naming path and cause, or the signal's reason.
   */
  static async open(
    path: string,
    { signal, part = null }: { signal?: AbortSignal | undefined; part?: Slice | null } = {},
  ): Promise<DiskWriter> {
    if (signal?.aborted) throw reasonOf(signal);
    const target = await openTarget(path, part === null ? { emptyLater: true } : { keep: true });
    return new DiskWriter(target, await openWrites(target, MAX_IN_FLIGHT, signal), signal, part);
  }

  /** Call before the first write: a regular file that is written as a whole forgets what it held. */
  async empty(): Promise<void> {
    if (this.#part === null) await this.#target.empty();
  }

  /** Puts `bytes` at `offset`. Throws Failure `disk-too-small` or `disk-write-failed`, or the signal's reason. */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (const write of this.#placer.bytes(offset, bytes)) await this.#start(write);
  }

  /** Puts a piece of data where its extents say, `pieceOffset` being where it begins in what they count in. Throws as `write` does. */
  async writeData(extents: readonly Extent[], pieceOffset: number, piece: Uint8Array): Promise<void> {
    for (const write of this.#placer.data(extents, pieceOffset, piece)) await this.#start(write);
  }

  /** Makes `sizeBytes` from `offset` read as zeros, as far as there is room. Throws as `write` does. */
  async writeZeros(offset: number, sizeBytes: number): Promise<void> {
    for (const write of this.#placer.zeros(offset, sizeBytes)) await this.#start(write);
  }

  /** Resolves when the bytes handed in so far may change; throws nothing. */
  settled(): Promise<void> {
    return this.#writes.settled();
  }

  /** Waits for all of it to be written; throws what went wrong with it. */
  async drain(): Promise<void> {
    this.#check();
    await this.#writes.drain();
  }

  /** Waits for what is under way, makes a regular file exactly `sizeBytes` long, puts everything on the medium, and closes. */
  async finish(sizeBytes: number): Promise<void> {
    await this.drain();
    await this.#target.commit(this.#part === null ? sizeBytes : null);
    await this.close();
  }

  /** Waits for what is under way and closes; what was written stays. May be called more than once. */
  close(): Promise<void> {
    this.#closed ??= this.#writes.close().then(() => this.#target.discard());
    return this.#closed;
  }

  #check(): void {
    if (this.#signal?.aborted) throw reasonOf(this.#signal);
    if (this.#closed) throw new Error(`${this.path} is closed`);
  }

  async #start({ offset, bytes, isZeros }: PlacedWrite): Promise<void> {
    this.#check();
    const at = (this.#part?.startBytes ?? 0) + offset;
    await (isZeros ? this.#writes.putZeros(at, bytes) : this.#writes.put(at, bytes));
  }
}
