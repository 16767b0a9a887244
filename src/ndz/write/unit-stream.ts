import { SECTOR_BYTES } from '../../disk/sector.js';
import type { Region } from '../codec/format.js';
import { UNIT_BYTES, UNIT_OUTPUT_BYTES, WINDOW_BYTES, type DeflateJob, type DeflateResult, type Piece } from '../codec/deflate-units.js';
import type { SectorReader } from '../../disk/sector-reader.js';
import type { WorkerPool } from '../threads/worker-pool.js';

const UNITS_PER_SLOT = 8;
const SLOT_BYTES = UNITS_PER_SLOT * UNIT_BYTES;

/** A unit of the data that is saved, not compressed yet. */
export type RawUnit = {
  /** In shared memory, up to `windowBytes` of the data before it right before it. */
  data: Uint8Array;
  /** The data before it and it itself. */
  windowed: Uint8Array;
  windowBytes: number;
  /** Where the data lies on the disk, in order. */
  regions: Region[];
};

export type Unit = RawUnit & { compressed: Uint8Array; piece: Piece };

/** Memory for some units on their way: the window, data; and what becomes of them. */
class Slot {
  readonly input = new Uint8Array(new SharedArrayBuffer(WINDOW_BYTES + SLOT_BYTES));
  readonly output = new Uint8Array(new SharedArrayBuffer(UNITS_PER_SLOT * UNIT_OUTPUT_BYTES));
  dataBytes = 0;
  windowBytes = 0;
  regions: Region[] = [];
  done: Promise<DeflateResult> = Promise.resolve([]);
  /** Units handed out so far. */
  next = 0;
}

/**
 * The data of a reader in units, compressed by a pool, in order. A fixed number of slots is all the memory it takes; they
 * are read and compressed ahead of who asks.
 */
export class UnitStream {
  readonly #reader: SectorReader;
  readonly #pool: WorkerPool<DeflateJob, DeflateResult>;
  readonly #level: number;
  readonly #free: Slot[] = [];
  readonly #filled: Slot[] = [];
  readonly #filling: Promise<void>;
  #last: Slot | undefined;
  #isEnd = false;
  #failure: { error: unknown } | undefined;
  #wake: () => void = () => undefined;
  #isStopped = false;

  constructor(reader: SectorReader, pool: WorkerPool<DeflateJob, DeflateResult>, level: number, slotCount: number) {
    this.#reader = reader;
    this.#pool = pool;
    this.#level = level;
    this.#free.push(...Array.from({ length: slotCount }, () => new Slot()));
    this.#filling = this.#fillAll();
  }

  /** The next unit, or null at the end. It is valid until the next call. Throws what reading or compressing threw. */
  async next(): Promise<Unit | null> {
    const slot = await this.#current(0);
    if (!slot) return null;
    const pieces = await slot.done;
    const index = slot.next++;
    const piece = pieces[index];
    if (!piece) throw new Error(`unit ${index} of ${pieces.length} was not compressed`);
    const compressed = slot.output.subarray(index * UNIT_OUTPUT_BYTES, index * UNIT_OUTPUT_BYTES + piece.sizeBytes);
    return { ...rawUnit(slot, index), compressed, piece };
  }

  /** The unit after the one `next` gave, as soon as it has been read; null at the end. */
  async peek(): Promise<RawUnit | null> {
    const slot = await this.#current(1);
    return slot ? rawUnit(slot, slot.next) : null;
  }

  /** Stops reading ahead. Call before closing the reader, after closing the pool. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#filling;
    for (const slot of this.#filled) await slot.done.catch(() => undefined);
  }

  /** The slot that the next unit lies in. One that is used up is filled again, except when the unit before is still `held`. */
  async #current(held: 0 | 1): Promise<Slot | null> {
    const isUsedUp = (slot: Slot): boolean => slot.next * UNIT_BYTES >= slot.dataBytes;
    const first = this.#filled[0];
    if (first && isUsedUp(first) && held === 0) {
      this.#filled.shift();
      this.#free.push(first);
      this.#changed();
    }
    const at = (): Slot | undefined => this.#filled.find((slot) => !isUsedUp(slot));
    while (!at() && !this.#isEnd && !this.#failure) await this.#change();
    const slot = at();
    if (!slot && this.#failure) throw this.#failure.error;
    return slot ?? null;
  }

  async #fillAll(): Promise<void> {
    try {
      while (!this.#isEnd && !this.#isStopped) {
        const slot = this.#free.shift();
        if (!slot) {
          await this.#change();
          continue;
        }
        await this.#fill(slot);
        if (slot.dataBytes < SLOT_BYTES) this.#isEnd = true;
        if (slot.dataBytes > 0) this.#hand(slot);
        this.#changed();
      }
    } catch (error) {
      this.#failure = { error };
      this.#changed();
    }
  }

  async #fill(slot: Slot): Promise<void> {
    const before = this.#last;
    slot.windowBytes = before ? WINDOW_BYTES : 0;
    if (before) slot.input.set(before.input.subarray(before.input.byteLength - WINDOW_BYTES)); // it was full
    slot.regions = [];
    slot.next = 0;
    slot.dataBytes = 0;
    while (slot.dataBytes < SLOT_BYTES && !this.#isStopped) {
      const run = await this.#reader.read(SLOT_BYTES - slot.dataBytes);
      if (!run) break;
      slot.input.set(run.bytes, WINDOW_BYTES + slot.dataBytes);
      slot.dataBytes += run.bytes.byteLength;
      addRegion(slot.regions, { startSector: run.startSector, sectorCount: run.bytes.byteLength / SECTOR_BYTES });
    }
    this.#last = slot;
  }

  #hand(slot: Slot): void {
    const { windowBytes, output, dataBytes } = slot;
    const input = slot.input.subarray(WINDOW_BYTES - windowBytes, WINDOW_BYTES + dataBytes);
    slot.done = this.#pool.run({ kind: 'units', input, windowBytes, output, level: this.#level });
    slot.done.catch(() => undefined); // thrown when its turn comes
    this.#filled.push(slot);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#wake;
      this.#wake = () => {
        others();
        resolve();
      };
    });
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = () => undefined;
    wake();
  }
}

/** Adds to a list of regions; one that goes on where the last ends makes that longer. */
export function addRegion(regions: Region[], { startSector, sectorCount }: Region): void {
  const last = regions.at(-1);
  if (last && last.startSector + last.sectorCount === startSector) last.sectorCount += sectorCount;
  else regions.push({ startSector, sectorCount });
}

/** The part of some regions that holds `sectorCount` sectors of their data from the `fromSector`-th on. */
export function partOfRegions(regions: readonly Region[], fromSector: number, sectorCount: number): Region[] {
  const parts: Region[] = [];
  let position = 0;
  for (const region of regions) {
    const from = Math.max(fromSector - position, 0);
    const to = Math.min(fromSector + sectorCount - position, region.sectorCount);
    if (to > from) parts.push({ startSector: region.startSector + from, sectorCount: to - from });
    position += region.sectorCount;
    if (position >= fromSector + sectorCount) break;
  }
  return parts;
}

function rawUnit(slot: Slot, index: number): RawUnit {
  const from = index * UNIT_BYTES;
  const to = Math.min(from + UNIT_BYTES, slot.dataBytes);
  const windowBytes = index === 0 ? slot.windowBytes : WINDOW_BYTES;
  const windowed = slot.input.subarray(WINDOW_BYTES + from - windowBytes, WINDOW_BYTES + to);
  return {
    data: windowed.subarray(windowBytes),
    windowed,
    windowBytes,
    regions: partOfRegions(slot.regions, from / SECTOR_BYTES, (to - from) / SECTOR_BYTES),
  };
}
