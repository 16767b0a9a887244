import { open, type FileHandle } from 'node:fs/promises';
import { type Failure, messageOf } from '../util/errors.js';
import { fail as ndzFail } from '../ndz/failures.js';

const BLOCK_BYTES = 256 * 1024;

/** A file that is read here and there, mostly forwards: the last block is kept. What it gives is not changed later. */
export class FileWindow {
  readonly path: string;
  /** Of the file when it was opened; what is added later is not seen. */
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  #block: Buffer = Buffer.alloc(0);
  #blockAt = 0;

  private constructor(path: string, sizeBytes: number, handle: FileHandle) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#handle = handle;
  }

  /** Throws Failure `ndz-unreadable`, as all of it does. */
  static async open(path: string): Promise<FileWindow> {
    try {
      const handle = await open(path, 'r');
      return new FileWindow(path, (await handle.stat()).size, handle);
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** At least one byte from `offset` on; none at the end. */
  async from(offset: number): Promise<Buffer> {
    if (offset >= this.sizeBytes) return Buffer.alloc(0);
    const inBlock = offset - this.#blockAt;
    if (inBlock >= 0 && inBlock < this.#block.byteLength) return this.#block.subarray(inBlock);
    const length = Math.min(BLOCK_BYTES, this.sizeBytes - offset);
    try {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafeSlow(length), 0, length, offset);
      if (bytesRead === 0) throw new Error(`it ended at byte ${offset}: it shrank while it was read`);
      [this.#block, this.#blockAt] = [buffer.subarray(0, bytesRead), offset];
    } catch (error) {
      throw unreadable(this.path, error);
    }
    return this.#block;
  }

  /** `length` bytes; fewer at the end. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let done = 0; done < length; ) {
      const part = (await this.from(offset + done)).subarray(0, length - done);
      if (part.byteLength === 0) break;
      parts.push(part);
      done += part.byteLength;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** `length` bytes, at once, when the kept block has them. */
  cached(offset: number, length: number): Buffer | null {
    const inBlock = offset - this.#blockAt;
    return inBlock >= 0 && inBlock + length <= this.#block.byteLength ? this.#block.subarray(inBlock, inBlock + length) : null;
  }

  /** Everything from `start` to `end`, in pieces. */
  async *range(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const piece = (await this.from(at)).subarray(0, end - at);
      if (piece.byteLength === 0) return;
      yield piece;
      at += piece.byteLength;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function unreadable(path: string, error: unknown): Failure {
  return ndzFail('ndz-unreadable', `reading ${path}: ${messageOf(error)}`, 'does it exist, and may this user read it?', {
    cause: error,
  });
}
