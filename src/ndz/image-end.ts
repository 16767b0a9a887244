import type { Failure } from '../util/errors.js';
import { dataExtents, partsWithin } from './extents.js';
import { SECTOR_BYTES } from './format.js';
import type { ImageSummary } from './image-check.js';
import { readChunkBytes } from './image-reader.js';
import { inflatePieces, openChunk } from './inflate.js';
import { DISK_HEAD_BYTES, neededSectors } from './needed-sectors.js';
import { openImage, type ImageInfo } from './reader.js';
import { gptSectorBytes } from './table-end.js';
import { fail } from './failures.js';

/**
 * Whether an image has its last chunks, and what people must know of the disk it was made from.
 * `cut`: why it is not whole, as a sentence; null when nothing says so. `note`: the disk that was imaged was smaller than what
 * is on it says (a copy of a larger disk, a size that was never right, or a file that had been cut before it was made an image).
 */
export type ImageEnd = {
  cut: string | null;
  note: string | null;
  /** The sectors that a disk must have for its partition table (a GPT) to be found there: 512 or 4096 bytes; null: any. */
  tableSectorBytes: number | null;
};

/** The end of an inspected image, by its own word. Throws as `inflateChunk` does, or Failure `ndz-unreadable`. */
export async function endOfImage(info: ImageInfo): Promise<ImageEnd> {
  const handle = await openImage(info.path);
  try {
    return judgeEnd(await diskHead(readChunkBytes(handle.fd, info.path, 0)), info);
  } finally {
    await handle.close();
  }
}

/** The same for an image whose disk begins with `head`. */
export function judgeEnd(head: Buffer, { version, diskBytes, ending }: ImageSummary): ImageEnd {
  const sectors = Math.ceil(diskBytes / SECTOR_BYTES);
  const tableSectorBytes = gptSectorBytes(head);
  if (ending === 'cut')
    return {
      cut: `it ends at sector ${sectors}, in a chunk that says that others follow: its last chunks are missing`,
      note: null,
      tableSectorBytes,
    };
  const need = version === 1 ? null : neededSectors(head); // version 1 says how many chunks it has, and not how large the disk is
  if (!need || need.sectors <= sectors) return { cut: null, note: null, tableSectorBytes };
  const speaks = `${need.says} speaks of ${need.sectors} sectors`;
  // by itself that says nothing: disks are copied to smaller ones. But the last chunk of an image is hardly ever full
  if (ending === 'full')
    return { cut: `${speaks}, and it ends at sector ${sectors}: its last chunks are missing`, note: null, tableSectorBytes };
  return {
    cut: null,
    note: `${speaks}, and the disk that was imaged had ${sectors}: was it copied from a larger one, or cut?`,
    tableSectorBytes,
  };
}

export function cutImage(name: string, cut: string): Failure {
  return fail('ndz-cut', `${name}: ${cut}`, 'copy the image again');
}

/** The imaged disk's first bytes, from the image's first chunk. Throws as `inflateChunk` does. */
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
