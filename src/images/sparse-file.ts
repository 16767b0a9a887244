import { open, type FileHandle } from 'node:fs/promises';
import { type Failure, messageOf, systemCode } from '../util/errors.js';
import { fail as ndzFail } from '../ndz/failures.js';

const BLOCK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** A new file that is written front to back, with holes for zeros. */
export class SparseFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #beforeWrite: (bytes: number) => void;
  #sizeBytes = 0;

  private constructor(handle: FileHandle, path: string, beforeWrite: (bytes: number) => void) {
    this.#handle = handle;
    this.#path = path;
    this.#beforeWrite = beforeWrite;
  }

  /** `beforeWrite` gets how much the medium will take, and may throw. Throws Failure `image-write-failed`, as `write` does. */
  static async create(path: string, beforeWrite: (bytes: number) => void): Promise<SparseFile> {
    try {
      return new SparseFile(await open(path, 'wx', 0o600), path, beforeWrite);
    } catch (error) {
      throw writeFailed(path, error);
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(piece: Buffer): Promise<void> {
    for (let from = 0; from < piece.byteLength; from += BLOCK_BYTES) {
      const block = piece.subarray(from, from + BLOCK_BYTES);
      if (ZEROS.compare(block, 0, block.byteLength, 0, block.byteLength) !== 0) await this.#put(block, this.#sizeBytes + from);
    }
    this.#sizeBytes += piece.byteLength;
  }

  /** Gives it its size, zeros at its end included. */
  async finish(): Promise<void> {
    await this.#handle.truncate(this.#sizeBytes).catch((error: unknown) => {
      throw writeFailed(this.#path, error);
    });
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #put(bytes: Buffer, offset: number): Promise<void> {
    this.#beforeWrite(bytes.byteLength);
    try {
      for (let done = 0; done < bytes.byteLength; )
        done += (await this.#handle.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
    } catch (error) {
      throw writeFailed(this.#path, error);
    }
  }
}

function writeFailed(path: string, error: unknown): Failure {
  return ndzFail(
    'image-write-failed',
    `writing ${path}: ${messageOf(error)}`,
    systemCode(error) === 'ENOSPC' ? 'free some space' : 'may this user write there?',
    { cause: error },
  );
}
