import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { untilAborted } from '../util/abort.js';
import { messageOf } from '../util/errors.js';
import { blockDeviceBytes, kindOf } from './device.js';
import { fail } from './failures.js';

/** What an image is made from. The writer makes one call at a time, at rising offsets when the whole disk is saved. */
export type ImageSource = {
  /** For messages. */
  name: string;
  /** null when only the end of the data will tell (a pipe). */
  sizeBytes: number | null;
  /** The bytes at `offset`; fewer than `length` only where the source ends. The result is not changed later. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
};

/** Opens a raw disk: a regular file or a block device. Throws Failure `source-read-failed` naming path and cause. */
export async function openSource(path: string): Promise<ImageSource> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    if ((await handle.stat()).isDirectory()) throw new Error('it is a folder');
    const kind = await kindOf(handle);
    if (kind === 'character') return streamSource(handle.createReadStream(), path);
    const sizeBytes = kind === 'block' ? await blockDeviceBytes(handle) : (await handle.stat()).size;
    return handleSource(handle, path, sizeBytes);
  } catch (error) {
    await handle?.close();
    throw fail('source-read-failed', `opening ${path}: ${messageOf(error)}`, 'does it exist, and may this user read it?', {
      cause: error,
    });
  }
}

function handleSource(handle: FileHandle, name: string, sizeBytes: number): ImageSource {
  return {
    name,
    sizeBytes,
    async read(offset, length) {
      const bytes = Buffer.allocUnsafeSlow(length);
      let done = 0;
      try {
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
      } catch (error) {
        throw fail(
          'source-read-failed',
          `reading ${name} at byte ${offset + done}: ${messageOf(error)}`,
          'is the disk sound? check the kernel log',
          { cause: error },
        );
      }
      return bytes.subarray(0, done);
    },
    close: () => handle.close(),
  };
}

/** A raw disk that comes through a pipe; it can only be saved whole, front to back. */
export function streamSource(input: Readable, name: string, signal?: AbortSignal): ImageSource {
  const iterator = input[Symbol.asyncIterator]() as AsyncIterator<unknown>;
  let rest: Uint8Array = new Uint8Array(0);
  let position = 0;
  const refill = async (): Promise<boolean> => {
    const item = await (signal ? untilAborted(signal, iterator.next()) : iterator.next());
    if (item.done) return false;
    if (!(item.value instanceof Uint8Array)) throw new TypeError(`${name}: a disk is read as bytes`);
    rest = item.value;
    return true;
  };
  return {
    name,
    sizeBytes: null,
    async read(offset, length) {
      if (offset !== position) throw new RangeError(`${name} can only be read front to back: at ${position}, asked for ${offset}`);
      const bytes = Buffer.allocUnsafeSlow(length);
      let done = 0;
      try {
        while (done < length && (rest.byteLength > 0 || (await refill()))) {
          const part = rest.subarray(0, length - done);
          bytes.set(part, done);
          done += part.byteLength;
          rest = rest.subarray(part.byteLength);
        }
      } catch (error) {
        if (signal?.aborted) throw error;
        throw fail('source-read-failed', `reading ${name} at byte ${position + done}: ${messageOf(error)}`, undefined, {
          cause: error,
        });
      }
      position += done;
      return bytes.subarray(0, done);
    },
    close: () => {
      input.destroy();
      return Promise.resolve();
    },
  };
}
