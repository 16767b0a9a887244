import { createHash } from 'node:crypto';
import { CHECKSUM_FIELD, HEADER_BYTES } from './format.js';

const EMPTY_FIELD = new Uint8Array(CHECKSUM_FIELD.length);

/** SHA1 of a V4 chunk's header area and stream, with the checksum field taken as zeros and its type as it stands. */
export function chunkSha1(chunk: Uint8Array, streamBytes: number): Uint8Array {
  const hash = createHash('sha1');
  hash.update(chunk.subarray(0, CHECKSUM_FIELD.offset));
  hash.update(EMPTY_FIELD);
  hash.update(chunk.subarray(CHECKSUM_FIELD.offset + CHECKSUM_FIELD.length, HEADER_BYTES + streamBytes));
  return hash.digest();
}

/** Writes its own SHA1 into a V4 chunk whose header already says that it has one. */
export function sealChunk(chunk: Uint8Array, streamBytes: number): void {
  chunk.set(chunkSha1(chunk, streamBytes), CHECKSUM_FIELD.offset);
}
