import { createInflate, inflateSync } from 'node:zlib';
import { libdeflate } from '../../native/libdeflate.js';
import { Failure, messageOf, systemCode } from '../../util/errors.js';
import { chunkSha1 } from './checksum.js';
import { decodeChunkHeader, HEADER_BYTES, inflatedBytes, type ChunkHeader } from './format.js';
import { fail } from '../failures.js';
import type { InflateMemory } from './inflate-memory.js';

/** Above this a chunk is inflated piece by piece: a chunk of zeros may grow a thousandfold. */
const WHOLE_BYTES = 32 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

/**
 * The header of a chunk whose stream may be inflated: decoded, complete, not encrypted, its SHA1 right. `position` is the
 * chunk's place in the file, for messages.
 * Throws Failure: those of `decodeChunkHeader`, `ndz-truncated`, `ndz-encrypted`, `ndz-checksum`.
 */
export function openChunk(bytes: Uint8Array, position?: number): ChunkHeader {
  const header = decodeChunkHeader(bytes, position);
  const where = `chunk ${position ?? header.index}`;
  if (bytes.byteLength < HEADER_BYTES + header.sizeBytes) {
    throw fail('ndz-truncated', `${where}: ${bytes.byteLength} bytes, its stream alone has ${header.sizeBytes}`, 'copy the image again');
  }
  refuseEncrypted(header, where);
  if (header.checksumType === 'sha1' && header.checksum && Buffer.compare(chunkSha1(bytes, header.sizeBytes), header.checksum) !== 0) {
    throw fail('ndz-checksum', `${where}: its SHA1 does not match its content`, 'the image was damaged after it was made; copy it again');
  }
  return header;
}

/** Throws Failure `ndz-encrypted` when the chunk cannot be read without a key. */
export function refuseEncrypted(header: ChunkHeader, where: string): void {
  if (header.cipher === 'none') return;
  throw fail(
    'ndz-encrypted',
    `${where}: encrypted (${header.cipher}), which is not supported`,
    'decrypt the image with the tool that made it',
  );
}

/**
 * The data of an opened chunk in order: one piece, computed in this thread, or many when it inflates to more than 32 MiB. The
 * stream must end exactly where the header says and fill the regions exactly. Throws Failure `ndz-bad-stream`.
 *
 * Who has many chunks gives `memory`: then it is libdeflate that inflates, where there is one, and the piece lies in that
 * memory until the next chunk does.
 */
export async function* inflatePieces(bytes: Uint8Array, header: ChunkHeader, memory?: InflateMemory): AsyncGenerator<Uint8Array> {
  const expectedBytes = inflatedBytes(header);
  if (expectedBytes <= WHOLE_BYTES) {
    yield (memory && (await inflateFast(bytes, header, memory))) ?? inflateWhole(bytes, header);
    return;
  }
  const inflater = createInflate({ chunkSize: PIECE_BYTES });
  let totalBytes = 0;
  try {
    inflater.end(streamOf(bytes, header));
    for await (const piece of inflater as AsyncIterable<Uint8Array>) {
      totalBytes += piece.byteLength;
      if (totalBytes > expectedBytes) throw wrongLength(header, `more than ${expectedBytes}`);
      yield piece;
    }
  } catch (error) {
    throw error instanceof Failure ? error : badStream(header, error);
  } finally {
    inflater.destroy();
  }
  checkEnd(header, inflater.bytesWritten, totalBytes);
}

/** null when there is no libdeflate, or when it refuses the stream: zlib says why. */
async function inflateFast(bytes: Uint8Array, header: ChunkHeader, memory: InflateMemory): Promise<Uint8Array | null> {
  const fast = await libdeflate.get();
  if (!fast) return null;
  const output = memory.room(inflatedBytes(header));
  return fast.inflateZlib(streamOf(bytes, header), output) ? output : null;
}

function inflateWhole(bytes: Uint8Array, header: ChunkHeader): Uint8Array {
  const expectedBytes = inflatedBytes(header);
  let result: unknown;
  try {
    // one byte more than needed lets zlib finish in a single buffer
    result = inflateSync(streamOf(bytes, header), { chunkSize: expectedBytes + 1, maxOutputLength: expectedBytes, info: true });
  } catch (error) {
    throw systemCode(error) === 'ERR_BUFFER_TOO_LARGE' ? wrongLength(header, `more than ${expectedBytes}`) : badStream(header, error);
  }
  const { data, consumedBytes } = withInfo(result);
  checkEnd(header, consumedBytes, data.byteLength);
  return data;
}

/** What `inflateSync` gives for `info: true`, which its types do not know. */
function withInfo(result: unknown): { data: Uint8Array; consumedBytes: number } {
  if (typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result) {
    const { buffer, engine } = result;
    if (buffer instanceof Uint8Array && typeof engine === 'object' && engine !== null && 'bytesWritten' in engine) {
      return { data: buffer, consumedBytes: Number(engine.bytesWritten) };
    }
  }
  throw new TypeError('zlib gave no info about the inflated stream');
}

function checkEnd(header: ChunkHeader, consumedBytes: number, totalBytes: number): void {
  if (totalBytes !== inflatedBytes(header)) throw wrongLength(header, String(totalBytes));
  if (consumedBytes !== header.sizeBytes) {
    throw fail(
      'ndz-bad-stream',
      `chunk ${header.index}: its stream ends after ${consumedBytes} bytes, the header says ${header.sizeBytes}`,
      HINT,
    );
  }
}

function streamOf(bytes: Uint8Array, header: ChunkHeader): Uint8Array {
  return bytes.subarray(HEADER_BYTES, HEADER_BYTES + header.sizeBytes);
}

const HINT = 'the image is damaged; copy it again from where it came from';

function wrongLength(header: ChunkHeader, seen: string): Failure {
  return fail('ndz-bad-stream', `chunk ${header.index}: inflates to ${seen} bytes, its regions have ${inflatedBytes(header)}`, HINT);
}

function badStream(header: ChunkHeader, error: unknown): Failure {
  return fail('ndz-bad-stream', `chunk ${header.index}: its compressed stream is damaged (${messageOf(error)})`, HINT, {
    cause: error,
  });
}
