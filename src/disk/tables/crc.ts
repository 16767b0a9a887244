/** CRC-32C (Castagnoli) as ext4 uses it: neither turned over before nor after, so that parts can follow each other. */
export function crc32c(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC32C[(crc ^ byte) & 0xff] ?? 0);
  return crc >>> 0;
}

/** CRC-16 (0x8005 reflected) as the group descriptors of ext4's uninit_bg carry it. */
export function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC16[(crc ^ byte) & 0xff] ?? 0);
  return crc & 0xffff;
}

const CRC32C = table(0x82f6_3b78);
const CRC16 = table(0xa001);

function table(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc >>> 0;
  });
}
