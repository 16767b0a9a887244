import { diskTooSmall } from './target.js';

/** Consecutive bytes of a disk, and where they begin in the data that goes there. */
export type Extent = { diskOffset: number; sizeBytes: number; dataOffset: number };

/** The parts of extents that lie in a piece of the data, `from` and `to` counted from the piece's start. */
export function* partsWithin(
  extents: readonly Extent[],
  pieceOffset: number,
  pieceBytes: number,
): Generator<{ diskOffset: number; from: number; to: number }> {
  for (const { diskOffset, sizeBytes, dataOffset } of extents) {
    const from = Math.max(dataOffset - pieceOffset, 0);
    const to = Math.min(dataOffset - pieceOffset + sizeBytes, pieceBytes);
    if (to > from) yield { diskOffset: diskOffset + pieceOffset + from - dataOffset, from, to };
  }
}

/** How many bytes of extents lie beyond a limit. */
export function bytesBeyond(extents: readonly Extent[], limitBytes: number): number {
  return extents.reduce((sum, { diskOffset, sizeBytes }) => sum + Math.max(0, Math.min(sizeBytes, diskOffset + sizeBytes - limitBytes)), 0);
}

/** What bytes are put on: a disk, a part of one, or a regular file. */
export type Place = {
  /** What it is called in messages. */
  path: string;
  /** Bytes there are; Infinity in a regular file. */
  limitBytes: number;
  /** Data beyond them is cut off; otherwise it is refused. */
  cutsOff?: boolean;
  /** All of it reads as zeros, so zero fill need not be written. */
  isBlank: boolean;
  /** Nor need blocks of zeros among the data: nothing is written twice. */
  leavesHoles?: boolean;
  /** The most that one write may have. */
  pieceBytes: number;
};

/** One write: `bytes` at `offset`, counted from where the place begins. */
export type PlacedWrite = {
  offset: number;
  bytes: Uint8Array;
  /** It is zero fill: the device may have a faster way. */
  isZeros: boolean;
};

/** How the bytes went. */
export type PlacementStats = {
  /** Writes; how many of them wrote zero fill; how many did not continue where the one before ended. */
  writes: number;
  zeroWrites: number;
  seeks: number;
  /** Zero fill, whether it had to be written or not. */
  zeroBytes: number;
};

const BLANK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(4 * 1024 * 1024);

/**
 * Turns data and free space into the writes that put them in their place: within its limit, in pieces, without what reads as
 * zeros anyway. Whoever asks does the writes, in order, in whatever way it has.
 */
export class Placer {
  readonly stats: PlacementStats = { writes: 0, zeroWrites: 0, seeks: 0, zeroBytes: 0 };
  readonly #place: Place;
  #nextOffset = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  /** The writes of a piece of data that begins at `pieceOffset` of what extents count in. Throws Failure `disk-too-small`. */
  *data(extents: readonly Extent[], pieceOffset: number, piece: Uint8Array): Generator<PlacedWrite> {
    for (const { diskOffset, from, to } of partsWithin(extents, pieceOffset, piece.byteLength))
      yield* this.bytes(diskOffset, piece.subarray(from, to));
  }

  /** The writes of `bytes` at `offset`. Throws Failure `disk-too-small`. */
  *bytes(offset: number, bytes: Uint8Array): Generator<PlacedWrite> {
    const data = bytes.subarray(0, this.#fitting(offset, bytes.byteLength));
    if (!this.#place.leavesHoles) return yield* this.#pieces(offset, data);
    for (const [from, to] of nonZeroRuns(data)) yield* this.#pieces(offset + from, data.subarray(from, to));
  }

  /** The writes that make `sizeBytes` from `offset` read as zeros. Free space may reach beyond the place; that part needs none. */
  *zeros(offset: number, sizeBytes: number): Generator<PlacedWrite> {
    const { limitBytes, isBlank, pieceBytes } = this.#place;
    const end = Math.min(offset + sizeBytes, limitBytes);
    if (end <= offset) return;
    this.stats.zeroBytes += end - offset;
    if (isBlank) return;
    const most = Math.min(pieceBytes, ZEROS.byteLength);
    for (let at = offset; at < end; at += most) {
      this.stats.zeroWrites++;
      yield* this.#pieces(at, ZEROS.subarray(0, Math.min(most, end - at)), true);
    }
  }

  #fitting(offset: number, sizeBytes: number): number {
    const { path, limitBytes, cutsOff = false } = this.#place;
    if (offset + sizeBytes <= limitBytes) return sizeBytes;
    if (!cutsOff) throw diskTooSmall(path, limitBytes, offset + sizeBytes, false);
    return Math.max(0, limitBytes - offset);
  }

  *#pieces(offset: number, bytes: Uint8Array, isZeros = false): Generator<PlacedWrite> {
    const { pieceBytes } = this.#place;
    for (let done = 0; done < bytes.byteLength; done += pieceBytes) {
      const piece = bytes.subarray(done, done + pieceBytes);
      this.stats.writes++;
      if (offset + done !== this.#nextOffset) this.stats.seeks++;
      this.#nextOffset = offset + done + piece.byteLength;
      yield { offset: offset + done, bytes: piece, isZeros };
    }
  }
}

/** The runs of blocks that are not all zeros, as [from, to). */
function nonZeroRuns(bytes: Uint8Array): (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (let from = 0; from < bytes.byteLength; from += BLANK_BYTES) {
    const to = Math.min(from + BLANK_BYTES, bytes.byteLength);
    if (bytes[from] === 0 && ZEROS.compare(bytes, from, to, 0, to - from) === 0) continue;
    const last = runs.at(-1);
    if (last && last[1] === from) last[1] = to;
    else runs.push([from, to]);
  }
  return runs;
}
