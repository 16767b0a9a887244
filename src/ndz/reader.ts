import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { reasonOf } from '../util/abort.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { readChunks } from './chunk-stream.js';
import { chunkTotals, diskEndBytes } from './extents.js';
import { CHUNK_BYTES, decodeChunkHeader, endOfRegions, HEADER_BYTES, type ChunkHeader, type ChunkVersion } from './format.js';
import { inflatePieces, openChunk, refuseEncrypted } from './inflate.js';

export { inflateChunk } from './inflate.js';

/** What an image's chunk headers say, all checked. */
export type ImageInfo = {
  path: string;
  /** Size of the image file, a multiple of 1 MiB. */
  sizeBytes: number;
  chunkCount: number;
  version: ChunkVersion;
  /** 32 hex digits; null before V4. */
  uuid: string | null;
  /** Size of the disk that was imaged (in V1: as far as its data reaches). */
  diskBytes: number;
  /** E and A of the "Wrote E bytes (A actual)" a client prints after loading this image without zero fill. */
  effectiveBytes: number;
  actualBytes: number;
  /** Whether every chunk carries a SHA1 that is verified on loading. */
  checksums: boolean;
};

const HEADERS_AT_ONCE = 8;

/**
 * Reads every chunk's header (not the streams) and checks the file: whole chunks, numbered from 0, one version and uuid,
 * regions ascending, each chunk going on where the one before ended.
 * Throws Failure `ndz-unreadable`, `ndz-empty`, `ndz-truncated`, `ndz-chunk-order`, `ndz-uuid-mismatch`, `ndz-encrypted`,
 * those of `decodeChunkHeader`, all naming the path, or the signal's reason.
 */
export async function inspectImage(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<ImageInfo> {
  const handle = await openImage(path);
  try {
    const sizeBytes = await imageBytes(handle);
    const chunkCount = sizeBytes / CHUNK_BYTES;
    const check = new ImageCheck(chunkCount);
    for (let next = 0; next < chunkCount; next += HEADERS_AT_ONCE) {
      if (signal?.aborted) throw reasonOf(signal);
      const indexes = Array.from({ length: Math.min(HEADERS_AT_ONCE, chunkCount - next) }, (_, i) => next + i);
      const headers = await Promise.all(indexes.map((index) => readHeader(handle, index)));
      headers.forEach((header, i) => check.add(header, next + i));
    }
    return { path, sizeBytes, chunkCount, ...check.result() };
  } catch (error) {
    throw error instanceof Failure ? named(path, error) : error;
  } finally {
    await handle.close();
  }
}

/**
 * Checks an image as a load would: headers as `inspectImage` does, then every stream (and SHA1, where there is one), in
 * this thread but a chunk at a time. Throws as `inspectImage` and `inflateChunk` do.
 */
export async function verifyImage(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<ImageInfo> {
  const info = await inspectImage(path, signal ? { signal } : {});
  let position = 0;
  for await (const chunk of readChunks(createReadStream(path, { highWaterMark: CHUNK_BYTES }), path, signal)) {
    try {
      for await (const piece of inflatePieces(chunk, openChunk(chunk, position))) void piece;
    } catch (error) {
      throw error instanceof Failure ? named(path, error) : error;
    }
    position++;
  }
  return info;
}

function named(path: string, failure: Failure): Failure {
  return new Failure(failure.code, `${path}: ${failure.message}`, failure.hint, { cause: failure });
}

async function openImage(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new Failure('ndz-unreadable', `${path}: ${messageOf(error)}`, 'does the image exist, and may this user read it?', { cause: error });
  }
}

async function imageBytes(handle: FileHandle): Promise<number> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new Failure('ndz-unreadable', 'not a regular file', 'give the path of an image (.ndz)');
  if (stat.size === 0) throw new Failure('ndz-empty', 'the file is empty', 'the save that made it failed; save again');
  const restBytes = stat.size % CHUNK_BYTES;
  if (restBytes !== 0) {
    throw new Failure('ndz-truncated', `${stat.size} bytes, not a multiple of ${CHUNK_BYTES}: the last chunk has only ${restBytes}`,
      'an unfinished copy, or not an image made by imagezip?');
  }
  return stat.size;
}

async function readHeader(handle: FileHandle, index: number): Promise<ChunkHeader> {
  const bytes = new Uint8Array(HEADER_BYTES);
  try {
    for (let done = 0; done < HEADER_BYTES; ) {
      const { bytesRead } = await handle.read(bytes, done, HEADER_BYTES - done, index * CHUNK_BYTES + done);
      if (bytesRead === 0) throw new Failure('ndz-truncated', `chunk ${index}: the file ends here; it shrank while it was read`);
      done += bytesRead;
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('ndz-unreadable', `chunk ${index}: ${messageOf(error)} (${systemCode(error) ?? 'error'})`, undefined, { cause: error });
  }
  return decodeChunkHeader(bytes, index);
}

/** Folds the headers of an image, in file order, into what is known of it. */
class ImageCheck {
  readonly #chunkCount: number;
  #first: ChunkHeader | undefined;
  #last: ChunkHeader | undefined;
  #effectiveBytes = 0;
  #actualBytes = 0;
  #checksums = true;

  constructor(chunkCount: number) {
    this.#chunkCount = chunkCount;
  }

  add(header: ChunkHeader, position: number): void {
    const where = `chunk ${position}`;
    refuseEncrypted(header, where);
    const first = (this.#first ??= header);
    if (header.index !== position) throw outOfOrder(`${where}: numbered ${header.index}`);
    if (header.version !== first.version) throw otherImage(`${where}: version ${header.version}, chunk 0 has version ${first.version}`);
    if (header.uuid !== first.uuid) throw otherImage(`${where}: uuid ${header.uuid}, chunk 0 has ${first.uuid}`);
    if (header.version === 1 && header.total !== 0 && header.total !== this.#chunkCount) {
      throw new Failure('ndz-truncated', `${where}: says the image has ${header.total} chunks, the file has ${this.#chunkCount}`, 'copy the image again');
    }
    this.#checkContinues(header, where);
    const { effectiveBytes, actualBytes } = chunkTotals(header);
    this.#effectiveBytes += effectiveBytes;
    this.#actualBytes += actualBytes;
    this.#checksums &&= header.checksumType === 'sha1';
    this.#last = header;
  }

  result(): Pick<ImageInfo, 'version' | 'uuid' | 'diskBytes' | 'effectiveBytes' | 'actualBytes' | 'checksums'> {
    if (!this.#first || !this.#last) throw new Failure('ndz-empty', 'no chunks');
    const { version, uuid } = this.#first;
    const [effectiveBytes, actualBytes, checksums] = [this.#effectiveBytes, this.#actualBytes, this.#checksums];
    return { version, uuid, diskBytes: diskEndBytes(this.#last), effectiveBytes, actualBytes, checksums };
  }

  #checkContinues(header: ChunkHeader, where: string): void {
    const expected = this.#last?.lastSector ?? 0;
    if (header.version === 1) {
      if (header.firstSector < expected) throw outOfOrder(`${where}: starts at sector ${header.firstSector}, the chunk before ends at ${expected}`);
    } else if (header.firstSector !== expected) {
      throw outOfOrder(`${where}: speaks for sectors from ${header.firstSector} on, expected ${expected}`);
    }
    if (this.#last && endOfRegions(this.#last.regions) > (header.regions[0]?.startSector ?? 0)) throw outOfOrder(`${where}: its regions overlap the chunk before`);
  }
}

function outOfOrder(message: string): Failure {
  return new Failure('ndz-chunk-order', message, 'are chunks missing, or is this a piece of an image?');
}

function otherImage(message: string): Failure {
  return new Failure('ndz-uuid-mismatch', message, 'were two images joined?');
}
