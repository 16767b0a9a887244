import { constants, deflateRawSync } from 'node:zlib';
import { ADLER_START, adler32, joinAdler } from './adler.js';
import { SECTOR_BYTES } from '../../disk/sector.js';

/** How far back deflate refers. */
export const WINDOW_BYTES = 32 * 1024;
/** What is compressed on its own: it refers back to the data before it, and ends at a byte, so streams can be put together from units. */
export const UNIT_BYTES = 64 * 1024;
/** With less room than this a chunk counts as full. */
export const FULL_BYTES = 8192;
/** Kept free for what deflate may add to data that does not compress. */
const SLACK_BYTES = 1024;
/** The most a unit can become. */
export const UNIT_OUTPUT_BYTES = UNIT_BYTES + SLACK_BYTES;

/** Consecutive data, compressed: a part of a raw deflate stream. */
export type Piece = { dataBytes: number; sizeBytes: number; adler: number };

/** `input` is `windowBytes` that only are referred to, then data; compressed units go to `output`, unit i at i * UNIT_OUTPUT_BYTES. */
export type UnitsJob = { kind: 'units'; input: Uint8Array; windowBytes: number; output: Uint8Array; level: number };

/**
 * Where one chunk ends and the next begins. `input` is the window (what the full chunk ends with), then `dataBytes` of data.
 * The tail is what of the first `tailLimitBytes` fits in `roomBytes`; the head, a stream's beginning, goes on from there: up
 * to `headBytes`, or to the end when that would be less than a window, so that what follows can refer back.
 */
export type SeamJob = {
  kind: 'seam';
  input: Uint8Array;
  windowBytes: number;
  output: Uint8Array;
  level: number;
  roomBytes: number;
  tailLimitBytes: number;
  headBytes: number;
};

export type DeflateJob = UnitsJob | SeamJob;
/** The units in order, or tail and head. Their bytes are in the job's output; the head's right after the tail's. */
export type DeflateResult = Piece[];

const ZERO_RUN = Buffer.alloc(WINDOW_BYTES + UNIT_BYTES);
const zeroUnits = new Map<number, { bytes: Uint8Array; adler: number }>();

export function deflateJob(job: DeflateJob): DeflateResult {
  return job.kind === 'units' ? deflateUnits(job) : deflateSeam(job);
}

function deflateUnits({ input, windowBytes, output, level }: UnitsJob): Piece[] {
  const pieces: Piece[] = [];
  for (let at = windowBytes; at < input.byteLength; at += UNIT_BYTES) {
    const end = Math.min(at + UNIT_BYTES, input.byteLength);
    pieces.push(deflatePiece(input, 0, at, end, output.subarray(pieces.length * UNIT_OUTPUT_BYTES), level));
  }
  return pieces;
}

function deflateSeam({ input, windowBytes, output, level, roomBytes, tailLimitBytes, headBytes }: SeamJob): Piece[] {
  const tail: Piece = { dataBytes: 0, sizeBytes: 0, adler: ADLER_START };
  for (let room = roomBytes; room >= FULL_BYTES && tail.dataBytes < tailLimitBytes; room = roomBytes - tail.sizeBytes) {
    const fitting = Math.floor((room - SLACK_BYTES) / SECTOR_BYTES) * SECTOR_BYTES; // even when it does not compress
    const start = windowBytes + tail.dataBytes;
    const end = start + Math.min(fitting, tailLimitBytes - tail.dataBytes);
    const piece = deflatePiece(input, 0, start, end, output.subarray(tail.sizeBytes), level);
    tail.adler = joinAdler(tail.adler, piece.adler, piece.dataBytes);
    tail.dataBytes += piece.dataBytes;
    tail.sizeBytes += piece.sizeBytes;
  }
  const headStart = windowBytes + tail.dataBytes;
  const isShort = windowBytes + headBytes - headStart < WINDOW_BYTES;
  const headEnd = isShort ? input.byteLength : windowBytes + headBytes;
  if (headEnd === headStart) return [tail];
  return [tail, deflatePiece(input, headStart, headStart, headEnd, output.subarray(tail.sizeBytes), level)];
}

/** Compresses input from `start` to `end`; it may refer back as far as `from`. */
function deflatePiece(input: Uint8Array, from: number, start: number, end: number, output: Uint8Array, level: number): Piece {
  const dataBytes = end - start;
  const window = input.subarray(Math.max(from, start - WINDOW_BYTES), start);
  const zeros =
    dataBytes === UNIT_BYTES && window.byteLength === WINDOW_BYTES && isZero(input, start - WINDOW_BYTES, end) ? zeroUnit(level) : null;
  const bytes = zeros?.bytes ?? compress(input.subarray(start, end), window, level);
  output.set(bytes); // throws RangeError rather than spill over
  return { dataBytes, sizeBytes: bytes.byteLength, adler: zeros?.adler ?? adler32(input.subarray(start, end)) };
}

function compress(data: Uint8Array, window: Uint8Array, level: number): Uint8Array {
  // memLevel 9: a larger hash table makes it a tenth faster
  const options = { level, memLevel: 9, chunkSize: data.byteLength + SLACK_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
  return deflateRawSync(data, window.byteLength > 0 ? { ...options, dictionary: window } : options);
}

/** A unit of zeros after zeros, the same each time: free space costs next to nothing. */
function zeroUnit(level: number): { bytes: Uint8Array; adler: number } {
  let unit = zeroUnits.get(level);
  if (!unit) {
    const data = ZERO_RUN.subarray(WINDOW_BYTES);
    unit = { bytes: compress(data, ZERO_RUN.subarray(0, WINDOW_BYTES), level), adler: adler32(data) };
    zeroUnits.set(level, unit);
  }
  return unit;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  return bytes[from] === 0 && ZERO_RUN.compare(bytes, from, to, 0, to - from) === 0;
}
