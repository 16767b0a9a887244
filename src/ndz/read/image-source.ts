import { partsWithin, type Extent } from '../../disk/placement.js';
import { dataExtents } from '../codec/extents.js';
import { MAX_SECTORS, SECTOR_BYTES } from '../../disk/sector.js';
import { endOfRegions, inflatedBytes, type ChunkHeader } from '../codec/format.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import { openImage, readChunkBytes } from './open-image.js';
import { inspectImage, type ImageInfo } from './inspect.js';
import type { ImageSource } from '../../disk/source.js';
import { DISK_HEAD_BYTES, tableEnd } from '../../disk/needed-sectors.js';
import { fail } from '../failures.js';

/** Where each chunk's data begins and ends on the imaged disk, in sectors; both ascend. Plain data, for threads too. */
export type ImageIndex = { starts: Uint32Array; ends: Uint32Array };

/** Consecutive sectors of the imaged disk: their content, or null when the image leaves them out. */
export type Segment = { startSector: number; sectorCount: number; bytes: Uint8Array | null };

export type OpenImage = { info: ImageInfo; index: ImageIndex; fd: number; close(): Promise<void> };

const SEGMENT_BYTES = 1024 * 1024;
/** Chunks that inflate to more than this are inflated again from their beginning when somebody reads backwards. */
const KEPT_BYTES = 32 * 1024 * 1024;
const KEPT_CHUNKS = 4;

/** Inspects an image and opens it for reading at any place. Throws as `inspectImage` does. */
export async function openIndexed(path: string, signal?: AbortSignal): Promise<OpenImage> {
  const bounds: [number, number][] = [];
  const onHeader = ({ regions }: ChunkHeader): void => void bounds.push([regions[0]?.startSector ?? 0, endOfRegions(regions)]);
  const info = await inspectImage(path, { onHeader, ...(signal ? { signal } : {}) });
  const index = { starts: Uint32Array.from(bounds, ([start]) => start), ends: Uint32Array.from(bounds, ([, end]) => end) };
  const handle = await openImage(path);
  return { info, index, fd: handle.fd, close: () => handle.close() };
}

/**
 * An image as the disk it was made from; sectors it leaves out read as zeros. Close it when done.
 * Throws as `inspectImage` and, in `read`, as `openChunk` and `inflatePieces` do.
 */
export async function openImageSource(path: string, signal?: AbortSignal): Promise<{ source: ImageSource; info: ImageInfo }> {
  const image = await openIndexed(path, signal);
  const reader = new ImageReader(image.fd, path, image.index);
  const sized = (sizeBytes: number): ImageSource => ({
    name: path,
    sizeBytes,
    read: (offset, length) => readDisk(reader, offset, Math.max(0, Math.min(length, sizeBytes - offset))),
    close: () => image.close(),
  });
  const { version, diskBytes } = image.info;
  if (version > 1) return { source: sized(diskBytes), info: image.info };
  // V1 does not say how large the disk was; its partition table may
  const head = Buffer.from(await readDisk(reader, 0, DISK_HEAD_BYTES));
  return { source: sized(Math.max(diskBytes, Math.min(tableEnd(head), MAX_SECTORS) * SECTOR_BYTES)), info: image.info };
}

/** Bytes of the imaged disk, zeros where the image leaves them out. */
async function readDisk(reader: ImageReader, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  const [from, to] = [Math.floor(offset / SECTOR_BYTES), Math.ceil((offset + length) / SECTOR_BYTES)];
  for await (const segment of reader.segments(from, to)) {
    if (!segment.bytes) continue;
    const at = segment.startSector * SECTOR_BYTES - offset;
    bytes.set(segment.bytes.subarray(Math.max(0, -at), Math.max(0, length - at)), Math.max(0, at));
  }
  return bytes;
}

/** Reads an image at any place, fastest in disk order. Calls must not overlap. */
export class ImageReader {
  readonly #fd: number;
  readonly #name: string;
  readonly #index: ImageIndex;
  readonly #kept: LoadedChunk[] = [];

  constructor(fd: number, name: string, index: ImageIndex) {
    this.#fd = fd;
    this.#name = name;
    this.#index = index;
  }

  /** The sectors from `from` up to, not including, `to`, in order and without gaps, in pieces of at most 1 MiB (what is left out in any size). */
  async *segments(from: number, to: number): AsyncGenerator<Segment> {
    const { starts, ends } = this.#index;
    let at = from;
    for (let position = firstAfter(ends, from); at < to && (starts[position] ?? to) < to; position++) {
      const chunk = this.#load(position);
      for (const extent of chunk.extents) {
        const start = extent.diskOffset / SECTOR_BYTES;
        const end = start + Math.ceil(extent.sizeBytes / SECTOR_BYTES);
        if (end <= at || start >= to) continue;
        if (start > at) yield { startSector: at, sectorCount: start - at, bytes: null };
        at = Math.max(at, start);
        while (at < Math.min(end, to)) {
          const sectorCount = Math.min(SEGMENT_BYTES / SECTOR_BYTES, Math.min(end, to) - at);
          const bytes = await chunk.read(extent.dataOffset + (at - start) * SECTOR_BYTES, sectorCount * SECTOR_BYTES);
          yield { startSector: at, sectorCount, bytes };
          at += sectorCount;
        }
      }
    }
    if (at < to) yield { startSector: at, sectorCount: to - at, bytes: null };
  }

  #load(position: number): LoadedChunk {
    const at = this.#kept.findIndex((chunk) => chunk.position === position);
    const [found] = at < 0 ? [] : this.#kept.splice(at, 1);
    const chunk = found ?? new LoadedChunk(position, readChunkBytes(this.#fd, this.#name, position));
    this.#kept.unshift(chunk);
    this.#kept.splice(KEPT_CHUNKS);
    return chunk;
  }
}

class LoadedChunk {
  readonly position: number;
  readonly extents: Extent[];
  readonly #bytes: Uint8Array;
  readonly #header: ChunkHeader;
  #whole: Uint8Array | undefined;
  #pieces: AsyncGenerator<Uint8Array> | undefined;
  #piece: Uint8Array = new Uint8Array(0);
  #pieceOffset = 0;

  constructor(position: number, bytes: Uint8Array) {
    this.position = position;
    this.#bytes = bytes;
    this.#header = openChunk(bytes, position);
    this.extents = dataExtents(this.#header);
  }

  async read(dataOffset: number, sizeBytes: number): Promise<Uint8Array> {
    if (inflatedBytes(this.#header) <= KEPT_BYTES) {
      this.#whole ??= await this.#inflate();
      return this.#whole.subarray(dataOffset, dataOffset + sizeBytes);
    }
    const result = Buffer.alloc(sizeBytes);
    if (!this.#pieces || dataOffset < this.#pieceOffset) this.#rewind();
    for (;;) {
      const [part] = partsWithin([{ diskOffset: 0, dataOffset, sizeBytes }], this.#pieceOffset, this.#piece.byteLength);
      if (part) result.set(this.#piece.subarray(part.from, part.to), part.diskOffset);
      if (this.#pieceOffset + this.#piece.byteLength >= dataOffset + sizeBytes) return result;
      const next = await this.#pieces?.next();
      if (!next || next.done)
        throw fail('ndz-bad-stream', `chunk ${this.position}: its data ends early`, 'the image is damaged; copy it again');
      this.#pieceOffset += this.#piece.byteLength;
      this.#piece = next.value;
    }
  }

  async #inflate(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of inflatePieces(this.#bytes, this.#header)) pieces.push(piece);
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  }

  #rewind(): void {
    this.#pieces?.return(undefined).catch(() => undefined);
    this.#pieces = inflatePieces(this.#bytes, this.#header);
    this.#piece = new Uint8Array(0);
    this.#pieceOffset = 0;
  }
}

/** Index of the first element greater than `value`. */
function firstAfter(ascending: Uint32Array, value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
