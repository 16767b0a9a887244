import { crc32 } from 'node:zlib';
import type { FileWindow } from './file-window.js';

const STEP_BYTES = 1024 * 1024;
/** How far from a file's end the end of its data is looked for. */
const REACH_BYTES = 64 * 1024 * 1024;
/** More than any end mark, so that one is whole in one of two steps. */
const OVERLAP_BYTES = 16;

/** Where the mark of an end that begins in `bytes` lies last; null without one. `base` is the place of `bytes` in the file. */
type Finder = (bytes: Buffer, base: number) => number | null;

/**
 * Where the last stream of an xz or bzip2 file ends, by its own end mark; null when there is none near the file's end, as in
 * one that is cut. Whether all before is whole is for the decompressor to say.
 */
export async function packedEnd(input: FileWindow, format: 'xz' | 'bzip2'): Promise<number | null> {
  const find: Finder = format === 'xz' ? xzEnd : bzip2End;
  const from = Math.max(0, input.sizeBytes - REACH_BYTES);
  for (let end = input.sizeBytes; end > from; ) {
    const start = Math.max(0, end - STEP_BYTES);
    const found = find(await input.bytes(start, end - start), start);
    if (found !== null) return found;
    if (start === 0) return null;
    end = start + OVERLAP_BYTES;
  }
  return null;
}

const XZ_FOOTER_BYTES = 12;

/** A stream footer: CRC32 of what follows, size of the index, flags, `YZ`; streams are multiples of four bytes. */
function xzEnd(bytes: Buffer, base: number): number | null {
  for (let at = bytes.lastIndexOf('YZ'); at >= XZ_FOOTER_BYTES - 2; at = bytes.lastIndexOf('YZ', at - 1)) {
    const start = at + 2 - XZ_FOOTER_BYTES;
    if ((base + at + 2) % 4 === 0 && bytes.readUInt32LE(start) === crc32(bytes.subarray(start + 4, at))) return base + at + 2;
  }
  return null;
}

/** The square root of pi, then a CRC of 32 bits, at any bit; a stream is filled up to a whole byte. */
const BZIP2_END = 0x1772_4538_5090n;
const BZIP2_END_BITS = 80;

function bzip2End(bytes: Buffer, base: number): number | null {
  const ends = Array.from({ length: 8 }, (_, shift) => {
    const all = BZIP2_END << BigInt(8 - shift); // 56 bits: the mark, `shift` bits behind the first
    const pattern = Buffer.from(all.toString(16).padStart(14, '0'), 'hex');
    const whole = pattern.subarray(shift === 0 ? 0 : 1, 6); // bytes that hold nothing but the mark
    for (let at = bytes.lastIndexOf(whole); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(whole, at - 1)) {
      const start = at - (shift === 0 ? 0 : 1);
      const end = Math.ceil((start * 8 + shift + BZIP2_END_BITS) / 8);
      if (start >= 0 && end <= bytes.byteLength && isAt(bytes, start, shift)) return base + end;
    }
    return null;
  });
  const found = ends.filter((end) => end !== null);
  return found.length === 0 ? null : Math.max(...found);
}

function isAt(bytes: Buffer, start: number, shift: number): boolean {
  const window = BigInt(`0x${bytes.toString('hex', start, start + 7)}`);
  return ((window >> BigInt(8 - shift)) & 0xffff_ffff_ffffn) === BZIP2_END;
}
