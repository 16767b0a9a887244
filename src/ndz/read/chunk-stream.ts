import type { Readable } from 'node:stream';
import { untilAborted } from '../../util/abort.js';
import { Failure, messageOf } from '../../util/errors.js';
import { CHUNK_BYTES } from '../codec/format.js';
import { fail } from '../failures.js';

/**
 * The chunks of an image that is read front to back, from a file or a pipe, one at a time, all in the same buffer. The stream is destroyed at the end.
 * Throws Failure `ndz-truncated` for a partial last chunk, `ndz-empty`, `ndz-unreadable`, or the signal's reason.
 */
export async function* readChunks(input: Readable, name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = input[Symbol.asyncIterator]() as AsyncIterator<unknown>;
  const next = (): Promise<IteratorResult<unknown>> => (signal ? untilAborted(signal, source.next()) : source.next());
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let count = 0;
  let filled = 0;
  try {
    for (let item = await next(); !item.done; item = await next()) {
      if (!(item.value instanceof Uint8Array)) throw new TypeError('an image is read as bytes');
      for (let rest = item.value; rest.byteLength > 0; ) {
        const part = rest.subarray(0, CHUNK_BYTES - filled);
        buffer.set(part, filled);
        filled += part.byteLength;
        rest = rest.subarray(part.byteLength);
        if (filled < CHUNK_BYTES) break;
        yield buffer;
        filled = 0;
        count++;
      }
    }
  } catch (error) {
    if (signal?.aborted || error instanceof Failure || error instanceof TypeError) throw error;
    throw fail('ndz-unreadable', `reading ${name}: ${messageOf(error)}`, 'does the image exist, and may this user read it?', {
      cause: error,
    });
  } finally {
    input.destroy();
  }
  if (filled > 0) throw fail('ndz-truncated', `${name}: chunk ${count} has only ${filled} of ${CHUNK_BYTES} bytes`, 'copy the image again');
  if (count === 0) throw fail('ndz-empty', `${name}: no chunks`, 'the save that made it failed; save again');
}
