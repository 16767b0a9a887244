import { CHUNK_BLOCKS } from './geometry.js';

/** Bytes of a block map on the wire: one bit for each block of a chunk. */
export const MAP_BYTES = CHUNK_BLOCKS / 8;

/** A run of neighbouring blocks. */
export type BlockRun = { first: number; count: number };

/** Which blocks of one chunk: block n is bit (n mod 8) of byte n/8, as on the wire. Keeps its own count. */
export class BlockMap {
  readonly bytes: Uint8Array;
  #count = 0;

  /** An empty map, or a copy of 128 wire bytes. */
  constructor(bytes?: Uint8Array) {
    this.bytes = new Uint8Array(MAP_BYTES);
    if (!bytes) return;
    this.bytes.set(bytes.subarray(0, MAP_BYTES));
    for (const byte of this.bytes) this.#count += bitCount(byte);
  }

  /** The map of the blocks first .. first + count - 1. */
  static ofRun(first: number, count: number): BlockMap {
    const map = new BlockMap();
    const end = first + count;
    const fullFrom = (first + 7) & ~7;
    const fullTo = end & ~7;
    if (fullTo <= fullFrom) {
      for (let block = first; block < end; block++) map.add(block);
      return map;
    }
    map.bytes.fill(0xff, fullFrom >> 3, fullTo >> 3);
    map.#count = fullTo - fullFrom;
    for (let block = first; block < fullFrom; block++) map.add(block);
    for (let block = fullTo; block < end; block++) map.add(block);
    return map;
  }

  get count(): number {
    return this.#count;
  }

  has(block: number): boolean {
    return ((this.bytes[block >> 3] ?? 0) & (1 << (block & 7))) !== 0;
  }

  /** Adds a block; false when it was there already. */
  add(block: number): boolean {
    const index = block >> 3;
    const byte = this.bytes[index] ?? 0;
    const bit = 1 << (block & 7);
    if (byte & bit) return false;
    this.bytes[index] = byte | bit;
    this.#count++;
    return true;
  }

  addRun(first: number, count: number): void {
    for (let block = first; block < first + count; block++) this.add(block);
  }

  /** Takes a run of blocks out. */
  removeRun(first: number, count: number): void {
    for (let block = first; block < first + count; block++) {
      const index = block >> 3;
      const byte = this.bytes[index] ?? 0;
      const bit = 1 << (block & 7);
      if (!(byte & bit)) continue;
      this.bytes[index] = byte & ~bit;
      this.#count--;
    }
  }

  /** Adds every block of `other`; returns how many were new. */
  addAll(other: BlockMap): number {
    const before = this.#count;
    this.#combine(other, (mine, theirs) => mine | theirs);
    return this.#count - before;
  }

  /** Takes every block of `other` out. */
  removeAll(other: BlockMap): void {
    this.#combine(other, (mine, theirs) => mine & ~theirs);
  }

  /** Whether some block is in both maps. */
  meets(other: BlockMap): boolean {
    return this.bytes.some((byte, index) => (byte & (other.bytes[index] ?? 0)) !== 0);
  }

  clear(): void {
    this.bytes.fill(0);
    this.#count = 0;
  }

  copy(): BlockMap {
    return new BlockMap(this.bytes);
  }

  /** The blocks of 0 .. size - 1 that are not in this map. */
  missing(size: number): BlockMap {
    const map = BlockMap.ofRun(0, size);
    map.removeAll(this);
    return map;
  }

  /** Takes out what a chunk of `size` blocks does not have. */
  cutTo(size: number): void {
    this.removeRun(size, CHUNK_BLOCKS - size);
  }

  /** The first run at or after block `from`, at most `limit` blocks of it; null when there is none. */
  nextRun(from: number, limit: number): BlockRun | null {
    let first = from;
    while (first < CHUNK_BLOCKS && !this.has(first)) first += (first & 7) === 0 && this.bytes[first >> 3] === 0 ? 8 : 1;
    if (first >= CHUNK_BLOCKS) return null;
    let count = 1;
    while (count < limit && first + count < CHUNK_BLOCKS && this.has(first + count)) count++;
    return { first, count };
  }

  #combine(other: BlockMap, operation: (mine: number, theirs: number) => number): void {
    this.#count = 0;
    for (let index = 0; index < MAP_BYTES; index++) {
      const byte = operation(this.bytes[index] ?? 0, other.bytes[index] ?? 0) & 0xff;
      this.bytes[index] = byte;
      this.#count += bitCount(byte);
    }
  }
}

function bitCount(byte: number): number {
  let bits = byte - ((byte >> 1) & 0x55);
  bits = (bits & 0x33) + ((bits >> 2) & 0x33);
  return (bits + (bits >> 4)) & 0x0f;
}
