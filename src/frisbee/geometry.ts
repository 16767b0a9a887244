import { CHUNK_BYTES } from '../ndz/codec/format.js';

/** Bytes of image data in one BLOCK message. */
export const BLOCK_BYTES = 1024;
/** Blocks in one chunk, that of the image format. */
export const CHUNK_BLOCKS = CHUNK_BYTES / BLOCK_BYTES;
/** The wire counts blocks in a signed 32-bit field, so no file can have more. */
const MAX_BLOCKS = 0x7fff_ffff;

/** How a file of some size is cut into blocks and chunks. The last chunk may be short, and so may the last block. */
export type Geometry = { readonly sizeBytes: number; readonly blocks: number; readonly chunks: number };

/** The geometry of a file of `sizeBytes`, or null when the wire cannot describe it (empty, or more than 2^31 - 1 blocks). */
export function geometryOf(sizeBytes: number): Geometry | null {
  const blocks = Math.ceil(sizeBytes / BLOCK_BYTES);
  if (!Number.isSafeInteger(sizeBytes) || blocks < 1 || blocks > MAX_BLOCKS) return null;
  return { sizeBytes, blocks, chunks: Math.ceil(blocks / CHUNK_BLOCKS) };
}

/** Number of blocks in a chunk: 1024, or less in the last one. `chunk` must be within the geometry. */
export function blocksInChunk(geometry: Geometry, chunk: number): number {
  return Math.min(CHUNK_BLOCKS, geometry.blocks - chunk * CHUNK_BLOCKS);
}

/** Number of file bytes in a chunk: 1 MiB, or less in the last one. */
export function bytesInChunk(geometry: Geometry, chunk: number): number {
  return Math.min(CHUNK_BYTES, geometry.sizeBytes - chunk * CHUNK_BYTES);
}
