import { fail } from '../failures.js';
import type { FileHandle } from 'node:fs/promises';
import { DISK_HEAD_BYTES, neededSectors, gptSectorBytes } from '../../disk/needed-sectors.js';
import { partsWithin } from '../../disk/placement.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import { reasonOf } from '../../util/abort.js';
import { Failure } from '../../util/errors.js';
import { dataExtents } from '../codec/extents.js';
import { CHUNK_BYTES, type ChunkHeader } from '../codec/format.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import { ImageCheck, type ImageSummary } from './image-check.js';
import { openImage, readChunkBytes, readHeader } from './open-image.js';

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

/** The same failure, with the image's path. */
export function named(path: string, failure: Failure): Failure {
  return failure.with({ message: `${path}: ${failure.message}` });
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

/** The end of an inspected image, by its own word. Throws as `openChunk` and `inflatePieces` do, or Failure `ndz-unreadable`. */
export async function endOfImage(info: ImageInfo): Promise<ImageEnd> {
  const handle = await openImage(info.path);
  try {
    return judgeEnd(await diskHead(readChunkBytes(handle.fd, info.path, 0)), info);
  } finally {
    await handle.close();
  }
}

/** The end of an image that must be whole unless `allowCut`. Throws Failure `ndz-cut`, and as `judge` (its own word unless given) does. */
export async function wholeEnd(
  info: ImageInfo,
  { judge = endOfImage, allowCut = false }: { judge?: (info: ImageInfo) => Promise<ImageEnd>; allowCut?: boolean } = {},
): Promise<ImageEnd> {
  const end = await judge(info);
  if (end.cut !== null && !allowCut) throw cutImage(info.path, end.cut);
  return end;
}

/** The end of an image whose disk begins with `head`. */
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

/** The imaged disk's first bytes, from the image's first chunk. Throws as `openChunk` and `inflatePieces` do. */
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
