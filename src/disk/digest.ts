import { createHash } from 'node:crypto';
import { SECTOR_BYTES } from './sector.js';

/** Digests that shells without anything installed can make: those of `sha1sum`, `sha256sum`, `md5sum` and POSIX `cksum`. */
export const DIGEST_NAMES = ['sha1', 'sha256', 'md5', 'cksum'] as const;
export type DigestName = (typeof DIGEST_NAMES)[number];

export type Digest = { update(bytes: Uint8Array): void /** Hex, or for cksum what the program prints: `CRC SIZE`. */; finish(): string };

export function createDigest(name: DigestName): Digest {
  if (name === 'cksum') return new Cksum();
  const hash = createHash(name);
  return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest('hex') };
}

/** The CRC of POSIX cksum: polynomial 04C11DB7, highest bit first, the length appended, all bits turned at the end. */
class Cksum implements Digest {
  #crc = 0;
  #sizeBytes = 0;

  update(bytes: Uint8Array): void {
    let crc = this.#crc;
    for (let at = 0; at < bytes.byteLength; at++) crc = ((crc << 8) ^ (TABLE[((crc >>> 24) ^ (bytes[at] ?? 0)) & 0xff] ?? 0)) >>> 0;
    this.#crc = crc;
    this.#sizeBytes += bytes.byteLength;
  }

  finish(): string {
    const sizeBytes = this.#sizeBytes;
    const length: number[] = [];
    for (let rest = sizeBytes; rest > 0; rest = Math.floor(rest / 256)) length.push(rest % 256);
    this.update(Uint8Array.from(length));
    return `${~this.#crc >>> 0} ${sizeBytes}`;
  }
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc >>> 0;
});

/** Consecutive bytes of a disk. */
export type ByteRange = { offset: number; sizeBytes: number };

/** What one digest is made of: ranges in disk order. */
export type DigestGroup = readonly ByteRange[];

/** How a program that reads blocks gets at a range: `dd bs=blockBytes skip=skip count=count`. */
export type ReadPiece = { blockBytes: number; skip: number; count: number };

const MAX_BLOCK_BYTES = 1024 * 1024;
const BODY_BLOCK_BYTES = 64 * 1024;
/** Reads that one program may do in small blocks before cutting the range in three pays. */
const FEW_READS = 4096;

/** A range in at most `parts` parts of whole sectors (the last may end within one), none empty. */
export function split(range: ByteRange, parts: number): ByteRange[] {
  const sectors = Math.ceil(range.sizeBytes / SECTOR_BYTES);
  return cutRange(range, Math.ceil(sectors / parts) * SECTOR_BYTES);
}

/** A range in parts of at most so many bytes. */
export function cutRange({ offset, sizeBytes }: ByteRange, maxBytes: number): ByteRange[] {
  const count = Math.ceil(sizeBytes / maxBytes);
  return Array.from({ length: count }, (_, i) => ({
    offset: offset + i * maxBytes,
    sizeBytes: Math.min(maxBytes, sizeBytes - i * maxBytes),
  }));
}

/**
 * At most four reads in whole blocks that give exactly a range, which begins at a sector: old versions of dd count in
 * blocks only. Few large blocks rather than many small ones.
 */
export function readPieces({ offset, sizeBytes }: ByteRange): ReadPiece[] {
  const oddBytes = sizeBytes % SECTOR_BYTES;
  if (oddBytes > 0) return [...readPieces({ offset, sizeBytes: sizeBytes - oddBytes }), piece(offset + sizeBytes - oddBytes, oddBytes)];
  if (sizeBytes === 0) return [];
  const whole = piece(offset, sizeBytes);
  if (whole.count <= FEW_READS || whole.blockBytes >= BODY_BLOCK_BYTES) return [whole];
  const bodyAt = Math.ceil(offset / BODY_BLOCK_BYTES) * BODY_BLOCK_BYTES;
  const bodyEnd = Math.floor((offset + sizeBytes) / BODY_BLOCK_BYTES) * BODY_BLOCK_BYTES;
  const parts = [
    [offset, bodyAt],
    [bodyAt, bodyEnd],
    [bodyEnd, offset + sizeBytes],
  ] as const;
  return parts.flatMap(([from, to]) => (to > from ? [piece(from, to - from)] : []));
}

/** One read, in the largest blocks that fit both its place and its size. */
function piece(offset: number, sizeBytes: number): ReadPiece {
  let blockBytes = 1;
  while (blockBytes < MAX_BLOCK_BYTES && offset % (2 * blockBytes) === 0 && sizeBytes % (2 * blockBytes) === 0) blockBytes *= 2;
  return { blockBytes, skip: offset / blockBytes, count: sizeBytes / blockBytes };
}
