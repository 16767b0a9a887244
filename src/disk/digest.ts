import { createHash } from 'node:crypto';

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
