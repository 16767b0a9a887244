import { Failure } from '../util/errors.js';
import { dataExtents, partsWithin } from './extents.js';
import { SECTOR_BYTES } from './format.js';
import type { ImageSummary } from './image-check.js';
import { readChunkBytes } from './image-reader.js';
import { inflatePieces, openChunk } from './inflate.js';
import { DISK_HEAD_BYTES, neededSectors } from './needed-sectors.js';
import { openImage, type ImageInfo } from './reader.js';

/**
 * Whether an inspected image has lost its last chunks. From format version 2 on no chunk says how many there are, but the
 * partition table, or a bare file system, does: a sentence when it speaks of sectors beyond the imaged disk; null when not,
 * or when there is none. Throws as `inflateChunk` does, or Failure `ndz-unreadable`.
 */
export async function missingEnd(info: ImageInfo): Promise<string | null> {
  const handle = await openImage(info.path);
  try {
    return missingBehind(await diskHead(readChunkBytes(handle.fd, info.path, 0)), info);
  } finally {
    await handle.close();
  }
}

/** The same for an image whose disk begins with `head`. */
export function missingBehind(head: Buffer, { version, diskBytes }: ImageSummary): string | null {
  if (version === 1) return null; // says how many chunks it has, and not how large the disk is
  const need = neededSectors(head);
  const haveSectors = Math.ceil(diskBytes / SECTOR_BYTES);
  if (!need || need.sectors <= haveSectors) return null;
  return `${need.says} speaks of ${need.sectors} sectors, and it ends at sector ${haveSectors}: its last chunks are missing`;
}

export function cutImage(name: string, missing: string): Failure {
  return new Failure('ndz-cut', `${name}: ${missing}`, 'copy the image again');
}

/** The imaged disk's first 4 KiB, from the image's first chunk. Throws as `inflateChunk` does. */
export async function diskHead(firstChunk: Uint8Array): Promise<Buffer> {
  const header = openChunk(firstChunk, 0);
  const extents = dataExtents(header).filter(({ diskOffset }) => diskOffset < DISK_HEAD_BYTES);
  const head = Buffer.alloc(DISK_HEAD_BYTES);
  let pieceOffset = 0;
  for await (const piece of inflatePieces(firstChunk, header)) {
    for (const { diskOffset, from, to } of partsWithin(extents, pieceOffset, piece.byteLength)) {
      if (diskOffset < DISK_HEAD_BYTES) head.set(piece.subarray(from, Math.min(to, from + DISK_HEAD_BYTES - diskOffset)), diskOffset);
    }
    pieceOffset += piece.byteLength;
    if (pieceOffset >= DISK_HEAD_BYTES) break;
  }
  return head;
}
