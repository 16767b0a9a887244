import { write } from 'node:fs';
import { promisify } from 'node:util';
import type { Capability } from '../native/capability.js';
import type { DirectMemory } from '../native/direct-io.js';
import type { FileSpace } from '../native/file-space.js';
import { systemCode } from '../util/errors.js';
import type { DirectDevice } from './direct.js';
import { diskWriteFailure, writeAll } from './target.js';
import { Flight, type FlightStats, type Writes } from './writes.js';

/** The most that one write has: disks take no more at once. */
const PIECE_BYTES = 1024 * 1024;
/** What the page cache counts in: two writes to one page, one of them through the cache, are not under way together. */
const PAGE_BYTES = 4096;

/** Less than this is sooner written than left to the device. */
const LEAST_ZERO_BYTES = 64 * 1024;

/** Consecutive bytes that are gathered, each in memory at its place in the piece of the disk that begins at `pieceOffset`. */
type Run = { memory: Buffer; pieceOffset: number; from: number; to: number };

const writeAt = promisify(write);

export type DirectOptions = {
  direct: DirectDevice;
  newMemory: DirectMemory;
  /** What has the device make zeros itself, once there are any. */
  space: Pick<Capability<FileSpace>, 'get'>;
  /** Pieces under way at once. */
  most: number;
  signal?: AbortSignal | undefined;
};

/**
 * Writes past the page cache. What follows on what came before is gathered into pieces of whole units; where bytes begin or
 * end within a unit, that unit is written through the cache, and so is everything once the device has refused a piece. The
 * bytes handed in are copied.
 */
export class DirectWrites implements Writes {
  /** The same device, open for writes through the cache. */
  readonly #cached: { fd: number; path: string };
  readonly #direct: DirectDevice;
  readonly #flight: Flight;
  readonly #free: Buffer[];
  /** Pages that are being written, as [from, to). */
  readonly #busy = new Set<readonly [number, number]>();
  #run: Run | null = null;
  #isRefused = false;
  /** null: the device makes no zeros. */
  #space: DirectOptions['space'] | null;

  /** Takes memory of `most` + 1 MiB. Throws when there is none. */
  constructor(cached: { fd: number; path: string }, { direct, newMemory, space, most, signal }: DirectOptions) {
    this.#cached = cached;
    this.#direct = direct;
    this.#space = space;
    this.#flight = new Flight(most, signal);
    const memory = newMemory((most + 1) * PIECE_BYTES);
    this.#free = Array.from({ length: most + 1 }, (_, i) => memory.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES));
  }

  get stats(): FlightStats {
    return this.#flight.stats;
  }

  async put(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      if (this.#run && this.#run.pieceOffset + this.#run.to !== offset + done) await this.flush();
      this.#flight.check();
      const run = (this.#run ??= this.#begin(offset + done));
      const part = bytes.subarray(done, done + PIECE_BYTES - run.to);
      run.memory.set(part, run.to);
      run.to += part.byteLength;
      done += part.byteLength;
      if (run.to === PIECE_BYTES) await this.flush();
    }
  }

  /** Whole units are left to the device, in this thread, which waits for it. */
  async putZeros(offset: number, zeros: Uint8Array): Promise<void> {
    const unit = this.#direct.unitBytes;
    const from = Math.ceil(offset / unit) * unit;
    const to = Math.floor((offset + zeros.byteLength) / unit) * unit;
    const space = to - from < LEAST_ZERO_BYTES ? null : await this.#space?.get();
    if (!space) return this.put(offset, zeros);
    await this.put(offset, zeros.subarray(0, from - offset));
    await this.flush();
    await this.#unlessBusy(from, to - from);
    this.#flight.check();
    try {
      space.zeroRange(this.#direct.fd, from, to - from);
    } catch {
      this.#space = null; // what is wrong with the disk, if anything, writing will tell
      await this.put(from, zeros.subarray(from - offset, to - offset));
    }
    await this.put(to, zeros.subarray(to - offset));
  }

  /** It has copies. */
  async settled(): Promise<void> {}

  async drain(): Promise<void> {
    await this.flush();
    await this.#flight.drain();
  }

  close(): Promise<void> {
    return this.#flight.close();
  }

  #begin(offset: number): Run {
    const memory = this.#free.pop();
    if (!memory) throw new Error('more pieces under way than there is memory for');
    const from = offset % PAGE_BYTES;
    return { memory, pieceOffset: offset - from, from, to: from };
  }

  async flush(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    if (!run) return;
    const { memory, pieceOffset, from, to } = run;
    const unit = this.#direct.unitBytes;
    const bodyFrom = Math.min(Math.ceil(from / unit) * unit, to);
    const bodyTo = Math.max(Math.floor(to / unit) * unit, bodyFrom);
    await this.#startCached(pieceOffset + from, memory.subarray(from, bodyFrom));
    await this.#startCached(pieceOffset + bodyTo, memory.subarray(bodyTo, to));
    const body = memory.subarray(bodyFrom, bodyTo);
    const release = (): void => void this.#free.push(memory);
    if (body.byteLength === 0) return release();
    await this.#start(pieceOffset + bodyFrom, body.byteLength, () => this.#writePiece(pieceOffset + bodyFrom, body).finally(release));
  }

  async #startCached(offset: number, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    const copy = Buffer.from(bytes);
    await this.#start(offset, copy.byteLength, () => writeAll(this.#cached, offset, copy));
  }

  async #start(offset: number, sizeBytes: number, begin: () => Promise<void>): Promise<void> {
    const pages = pagesOf(offset, sizeBytes);
    await this.#unlessBusy(offset, sizeBytes);
    await this.#flight.start(sizeBytes, () => {
      this.#busy.add(pages);
      return begin().finally(() => this.#busy.delete(pages));
    });
  }

  /** Waits when one of the pages is being written. */
  async #unlessBusy(offset: number, sizeBytes: number): Promise<void> {
    const [from, to] = pagesOf(offset, sizeBytes);
    if ([...this.#busy].some((pages) => pages[0] < to && from < pages[1])) await this.#flight.drain();
  }

  async #writePiece(offset: number, bytes: Uint8Array): Promise<void> {
    let done = 0;
    try {
      while (done < bytes.byteLength && !this.#isRefused) {
        const { bytesWritten } = await writeAt(this.#direct.fd, bytes, done, bytes.byteLength - done, offset + done);
        if (bytesWritten === 0) throw new Error('nothing was written');
        done += bytesWritten;
      }
    } catch (error) {
      if (systemCode(error) !== 'EINVAL') throw diskWriteFailure(this.#cached.path, offset + done, error);
      this.#isRefused = true;
    }
    await writeAll(this.#cached, offset + done, bytes.subarray(done));
  }
}

/** The whole pages that bytes lie in, as [from, to). */
function pagesOf(offset: number, sizeBytes: number): readonly [number, number] {
  return [Math.floor(offset / PAGE_BYTES) * PAGE_BYTES, Math.ceil((offset + sizeBytes) / PAGE_BYTES) * PAGE_BYTES];
}
