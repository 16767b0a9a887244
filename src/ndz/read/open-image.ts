import { fail } from '../failures.js';
import { constants, readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Failure, messageOf, systemCode } from '../../util/errors.js';
import { CHUNK_BYTES, decodeChunkHeader, HEADER_BYTES, type ChunkHeader } from '../codec/format.js';

/** Opens an image for reading. Throws Failure `ndz-unreadable`. */
export async function openImage(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe of that name must not hang us
  } catch (error) {
    throw fail('ndz-unreadable', `${path}: ${messageOf(error)}`, 'does the image exist, and may this user read it?', {
      cause: error,
    });
  }
}

/** Reads the header of one chunk of an open image. Throws Failure `ndz-truncated`, `ndz-unreadable`, or as `decodeChunkHeader` does. */
export async function readHeader(handle: FileHandle, index: number): Promise<ChunkHeader> {
  const bytes = new Uint8Array(HEADER_BYTES);
  try {
    for (let done = 0; done < HEADER_BYTES; ) {
      const { bytesRead } = await handle.read(bytes, done, HEADER_BYTES - done, index * CHUNK_BYTES + done);
      if (bytesRead === 0) throw fail('ndz-truncated', `chunk ${index}: the file ends here; it shrank while it was read`);
      done += bytesRead;
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw fail('ndz-unreadable', `chunk ${index}: ${messageOf(error)} (${systemCode(error) ?? 'error'})`, undefined, {
      cause: error,
    });
  }
  return decodeChunkHeader(bytes, index);
}

/** Reads one chunk of an open image, without waiting for anything but the disk. Throws Failure `ndz-unreadable` or `ndz-truncated`. */
export function readChunkBytes(fd: number, name: string, position: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let done = 0; done < CHUNK_BYTES; ) {
    const count = tryRead(fd, name, position, bytes, done);
    if (count === 0)
      throw fail(
        'ndz-truncated',
        `chunk ${position}: the file ends here; it shrank while it was read`,
        'is something writing to the image?',
      );
    done += count;
  }
  return bytes;
}

function tryRead(fd: number, name: string, position: number, bytes: Uint8Array, done: number): number {
  try {
    return readSync(fd, bytes, done, CHUNK_BYTES - done, position * CHUNK_BYTES + done);
  } catch (error) {
    throw fail('ndz-unreadable', `chunk ${position}: reading ${name}: ${messageOf(error)}`, 'is the disk that holds the image sound?', {
      cause: error,
    });
  }
}
