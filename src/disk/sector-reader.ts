import { SECTOR_BYTES, type SectorRange, MAX_SECTORS, MIN_SKIP_SECTORS } from './sector.js';
import type { ImageSource } from './source.js';
import { fail } from './failures.js';

const BLOCK_BYTES = 1024 * 1024;

/** Whole sectors as they will be stored: the last of a source of odd size is filled up with zeros. */
export type SectorRun = { startSector: number; bytes: Uint8Array };

/** Reads the sectors of a list of ranges in order, a block ahead of who asks. */
export class SectorReader {
  /** Bytes that count in the very last sector, when the source's size is not a multiple of 512. */
  shortSectorBytes: number | null = null;
  readonly #source: ImageSource;
  readonly #ranges: AsyncIterator<SectorRange>;
  #range: SectorRange | undefined;
  #ahead: Promise<SectorRun | null> | undefined;
  #block: SectorRun | null | undefined;

  constructor(source: ImageSource, ranges: Iterable<SectorRange> | AsyncIterable<SectorRange>) {
    this.#source = source;
    this.#ranges = iterate(ranges);
  }

  /** Up to `maxBytes` (a multiple of 512) of consecutive sectors, or null at the end. */
  async read(maxBytes: number): Promise<SectorRun | null> {
    const block = await this.#current();
    if (!block) return null;
    const bytes = block.bytes.subarray(0, maxBytes);
    const restBytes = block.bytes.subarray(maxBytes);
    const { startSector } = block;
    this.#block = restBytes.byteLength > 0 ? { startSector: startSector + maxBytes / SECTOR_BYTES, bytes: restBytes } : undefined;
    return { startSector, bytes };
  }

  /** Ends what is being read ahead; call before closing the source. */
  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined); // its failure has come too late to matter
    await this.#ranges.return?.();
  }

  async #current(): Promise<SectorRun | null> {
    if (this.#block === undefined) {
      this.#block = await (this.#ahead ?? this.#load());
      this.#ahead = this.#block ? this.#load() : undefined;
      this.#ahead?.catch(() => undefined); // thrown when its turn comes
    }
    return this.#block;
  }

  async #load(): Promise<SectorRun | null> {
    const range = this.#range ?? (await this.#nextRange());
    if (!range) return null;
    const { startSector, endSector } = range;
    const wantedBytes = Math.min((endSector - startSector) * SECTOR_BYTES, BLOCK_BYTES);
    const bytes = await this.#source.read(startSector * SECTOR_BYTES, this.#clip(startSector * SECTOR_BYTES, wantedBytes));
    const isEnd = this.#isEnd(startSector * SECTOR_BYTES, bytes.byteLength, wantedBytes);
    const nextSector = startSector + Math.ceil(bytes.byteLength / SECTOR_BYTES);
    this.#range = isEnd || nextSector === endSector ? undefined : { startSector: nextSector, endSector };
    if (bytes.byteLength === 0) return null;
    return { startSector, bytes: this.#padded(bytes) };
  }

  async #nextRange(): Promise<SectorRange | undefined> {
    const item = await this.#ranges.next();
    return item.done ? undefined : item.value;
  }

  #clip(offset: number, wantedBytes: number): number {
    return this.#source.sizeBytes === null ? wantedBytes : Math.min(wantedBytes, this.#source.sizeBytes - offset);
  }

  #isEnd(offset: number, gotBytes: number, wantedBytes: number): boolean {
    if (gotBytes === wantedBytes) return false;
    const { sizeBytes, name } = this.#source;
    if (sizeBytes === null || offset + gotBytes === sizeBytes) return true;
    throw fail(
      'source-read-failed',
      `${name} ends at byte ${offset + gotBytes}, it had ${sizeBytes} when it was opened`,
      'is something writing to it?',
    );
  }

  #padded(bytes: Uint8Array): Uint8Array {
    const oddBytes = bytes.byteLength % SECTOR_BYTES;
    if (oddBytes === 0) return bytes;
    this.shortSectorBytes = oddBytes;
    const padded = new Uint8Array(bytes.byteLength - oddBytes + SECTOR_BYTES);
    padded.set(bytes);
    return padded;
  }
}

async function* iterate(ranges: Iterable<SectorRange> | AsyncIterable<SectorRange>): AsyncGenerator<SectorRange> {
  yield* ranges;
}

const SCAN_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(SCAN_BYTES);

/** Everything: the whole disk as one range, up to wherever it ends. */
export function wholeDisk(source: ImageSource): SectorRange[] {
  const endSector = source.sizeBytes === null ? MAX_SECTORS : Math.ceil(source.sizeBytes / SECTOR_BYTES);
  return endSector === 0 ? [] : [{ startSector: 0, endSector }];
}

/**
 * What is left of a disk of `sizeBytes` without its runs of 32 KiB or more of zeros. Never nothing, and always with a last
 * sector that is not whole, since its region alone can tell the exact size. Reads the source, just ahead of who asks.
 */
export async function* nonZeroRanges(source: ImageSource, sizeBytes: number): AsyncGenerator<SectorRange> {
  let open: SectorRange | undefined;
  for await (const { startSector, endSector } of nonZeroRuns(source, sizeBytes)) {
    if (open && startSector - open.endSector < MIN_SKIP_SECTORS) {
      open.endSector = endSector;
      continue;
    }
    if (open) yield open;
    open = { startSector, endSector };
  }
  yield open ?? { startSector: 0, endSector: 1 };
}

/** Runs of sectors that are not all zeros; neighbouring runs may touch. */
async function* nonZeroRuns(source: ImageSource, sizeBytes: number): AsyncGenerator<SectorRange> {
  const isKept = (bytes: Uint8Array, at: number): boolean => !isZero(bytes, at, at + SECTOR_BYTES) || bytes.byteLength - at < SECTOR_BYTES;
  for (let offset = 0; offset < sizeBytes; offset += SCAN_BYTES) {
    const bytes = await source.read(offset, Math.min(SCAN_BYTES, sizeBytes - offset));
    if (bytes.byteLength % SECTOR_BYTES === 0 && isZero(bytes, 0, bytes.byteLength)) continue;
    for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
      const start = at;
      while (at < bytes.byteLength && isKept(bytes, at)) at += SECTOR_BYTES;
      if (at > start) yield { startSector: (offset + start) / SECTOR_BYTES, endSector: (offset + at) / SECTOR_BYTES };
    }
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  const end = Math.min(to, bytes.byteLength);
  return ZEROS.compare(bytes, from, end, 0, end - from) === 0;
}
