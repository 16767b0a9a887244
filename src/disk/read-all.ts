import { readSync } from 'node:fs';
import { messageOf } from '../util/errors.js';
import { fail } from './failures.js';

/** Fills `bytes` from `offset` on in this thread, which waits for it; returns how many there are before the end. Throws Failure `disk-read-failed`. */
export function readAllSync({ fd, path }: { fd: number; path: string }, offset: number, bytes: Uint8Array): number {
  let done = 0;
  try {
    for (let count = 1; done < bytes.byteLength && count > 0; done += count)
      count = readSync(fd, bytes, done, bytes.byteLength - done, offset + done);
    return done;
  } catch (error) {
    throw fail(
      'disk-read-failed',
      `reading ${path} at byte ${offset + done}: ${messageOf(error)}`,
      'is the disk sound? check the kernel log',
      {
        cause: error,
      },
    );
  }
}
