import { reasonOf } from '../util/abort.js';
import { SECTOR_BYTES } from './sector.js';
import type { ImageSource } from './source.js';
import { fail } from './failures.js';

const WINDOW_BYTES = 64 * 1024;
/** Readers go to and fro between a few places, and forward in each. */
const WINDOWS = 4;

/** What is on the disk contradicts itself, or is of a kind we do not know; the message says what, without naming where. */
export class Inconsistent extends Error {
  override readonly name = 'Inconsistent';
}

/** What was found to be wrong with the data on a disk; anything else that was thrown is thrown again. */
export function contradiction(error: unknown): string {
  if (error instanceof Inconsistent) return error.message;
  if (error instanceof RangeError) return 'a number in it points outside the structure it is in'; // as Buffer's readers put it
  throw error;
}

/** A disk or a partition, read at any offset. Nothing outside it can be read through it, whatever number the disk holds. */
export class Volume {
  readonly startSector: number;
  readonly sectorCount: number;
  readonly sizeBytes: number;
  readonly #source: ImageSource;
  readonly #signal: AbortSignal | undefined;
  /** The last read first. */
  #windows: { offset: number; bytes: Buffer }[] = [];

  /** `sectorCount` sectors of `source` from `startSector` on; the caller has checked that they are there. */
  constructor(source: ImageSource, startSector: number, sectorCount: number, signal?: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
    this.startSector = startSector;
    this.sectorCount = sectorCount;
    this.sizeBytes = sectorCount * SECTOR_BYTES;
  }

  /** A part of this volume. Throws RangeError when it is not inside. */
  part(startSector: number, sectorCount: number): Volume {
    if (startSector < 0 || sectorCount < 0 || startSector + sectorCount > this.sectorCount)
      throw new RangeError('a part lies inside its volume');
    return new Volume(this.#source, this.startSector + startSector, sectorCount, this.#signal);
  }

  /**
   * Exactly `length` bytes, a small number that no disk has chosen alone. The result must not be changed.
   * Throws Inconsistent outside the volume, Failure `source-read-failed`, the signal's reason.
   */
  async read(offset: number, length: number): Promise<Buffer> {
    if (this.#signal?.aborted) throw reasonOf(this.#signal);
    // the comparison is false for NaN
    if (!(offset >= 0 && offset + length <= this.sizeBytes))
      throw new Inconsistent(`it refers to byte ${offset}, and has ${this.sizeBytes}`);
    const near = this.#windows.find((window) => offset >= window.offset && offset + length <= window.offset + window.bytes.byteLength);
    const window = near ?? (await this.#load(offset, length));
    this.#windows = [window, ...this.#windows.filter((other) => other !== window)].slice(0, WINDOWS);
    return window.bytes.subarray(offset - window.offset, offset - window.offset + length);
  }

  /** As read(), or null where the volume is too small for it: for looking whether something is there. */
  async peek(offset: number, length: number): Promise<Buffer | null> {
    return offset >= 0 && offset + length <= this.sizeBytes ? this.read(offset, length) : null;
  }

  async #load(offset: number, length: number): Promise<{ offset: number; bytes: Buffer }> {
    const windowBytes = Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - offset);
    const bytes = await this.#source.read(this.startSector * SECTOR_BYTES + offset, windowBytes);
    if (bytes.byteLength < length) {
      throw fail(
        'source-read-failed',
        `${this.#source.name} ends before its size of ${this.#source.sizeBytes} bytes`,
        'is something writing to it?',
      );
    }
    return { offset, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  }
}

/** A 64-bit number; beyond 2^53 only roughly, which is good enough to find it too large. */
export function u64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 0x1_0000_0000;
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

/** A name found on a disk, fit for a terminal: ends at the first NUL, trailing spaces and control characters removed; null when empty. */
export function diskText(bytes: Buffer, encoding: 'utf8' | 'latin1' | 'utf16le' = 'utf8'): string | null {
  const text = bytes
    .toString(encoding)
    .replace(/\0[^]*$/, '')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?')
    .trimEnd();
  return text === '' ? null : text;
}

/** 16 bytes as they are printed: 8-4-4-4-12; null when all are zero. */
export function uuidText(bytes: Buffer): string | null {
  const hex = bytes.toString('hex');
  if (/^0*$/.test(hex)) return null;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
