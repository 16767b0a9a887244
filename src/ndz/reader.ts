import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { reasonOf } from '../util/abort.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { eachChunk, openChunkPool } from './chunk-pool.js';
import { CHUNK_BYTES, decodeChunkHeader, HEADER_BYTES, type ChunkHeader } from './format.js';
import { ImageCheck, type ImageSummary } from './image-check.js';
import { fail } from './failures.js';

export { inflateChunk } from './inflate.js';

/** What an image's chunk headers say, all checked. */
export type ImageInfo = ImageSummary & {
  path: string;
  /** Size of the image file, a multiple of 1 MiB. */
  sizeBytes: number;
  chunkCount: number;
};

export type InspectOptions = {
  signal?: AbortSignal;
  /** Gets every header, in order, when it has been checked. */
  onHeader?: (header: ChunkHeader) => void;
};

const HEADERS_AT_ONCE = 8;

/**
 * Reads every chunk's header (not the streams) and checks the file: whole chunks, numbered from 0, one version and uuid,
 * regions ascending, each chunk going on where the one before ended.
 * Throws Failure `ndz-unreadable`, `ndz-empty`, `ndz-truncated`, `ndz-chunk-order`, `ndz-uuid-mismatch`, `ndz-encrypted`,
 * those of `decodeChunkHeader`, all naming the path, or the signal's reason.
 */
export async function inspectImage(path: string, { signal, onHeader }: InspectOptions = {}): Promise<ImageInfo> {
  const handle = await openImage(path);
  try {
    const sizeBytes = await imageBytes(handle);
    const chunkCount = sizeBytes / CHUNK_BYTES;
    const check = new ImageCheck(chunkCount);
    for (let next = 0; next < chunkCount; next += HEADERS_AT_ONCE) {
      if (signal?.aborted) throw reasonOf(signal);
      const indexes = Array.from({ length: Math.min(HEADERS_AT_ONCE, chunkCount - next) }, (_, i) => next + i);
      const headers = await Promise.all(indexes.map((index) => readHeader(handle, index)));
      for (const [i, header] of headers.entries()) {
        check.add(header, next + i);
        onHeader?.(header);
      }
    }
    return { path, sizeBytes, chunkCount, ...check.result() };
  } catch (error) {
    throw error instanceof Failure ? named(path, error) : error;
  } finally {
    await handle.close();
  }
}

export type VerifyOptions = { signal?: AbortSignal; workers?: number; onProgress?: (doneChunks: number, chunkCount: number) => void };

/**
 * Checks an image as a load would: headers as `inspectImage` does, then every stream (and SHA1, where there is one), in
 * worker threads. Throws as `inspectImage` and `inflateChunk` do, or Failure `worker-crashed`.
 */
export async function verifyImage(path: string, { signal, workers, onProgress }: VerifyOptions = {}): Promise<ImageInfo> {
  const info = await inspectImage(path, signal ? { signal } : {});
  const handle = await openImage(path);
  const pool = openChunkPool({ image: { fd: handle.fd, name: path, uuid: info.uuid, version: info.version } }, workers);
  try {
    let done = 0;
    const positions = Array.from({ length: info.chunkCount }, (_, position) => position);
    await eachChunk(
      pool,
      positions,
      (position) => ({ kind: 'check', position }),
      () => onProgress?.(++done, info.chunkCount),
      signal,
    );
    return info;
  } catch (error) {
    throw error instanceof Failure && !fail.is(error, 'worker-crashed') ? named(path, error) : error;
  } finally {
    await pool.close();
    await handle.close();
  }
}

function named(path: string, failure: Failure): Failure {
  return failure.with({ message: `${path}: ${failure.message}` });
}

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

async function imageBytes(handle: FileHandle): Promise<number> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw fail('ndz-unreadable', 'not a regular file', 'give the path of an image (.ndz)');
  if (stat.size === 0) throw fail('ndz-empty', 'the file is empty', 'the save that made it failed; save again');
  const restBytes = stat.size % CHUNK_BYTES;
  if (restBytes !== 0) {
    throw fail(
      'ndz-truncated',
      `${stat.size} bytes, not a multiple of ${CHUNK_BYTES}: the last chunk has only ${restBytes}`,
      'an unfinished copy, or not an image made by imagezip?',
    );
  }
  return stat.size;
}

async function readHeader(handle: FileHandle, index: number): Promise<ChunkHeader> {
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
