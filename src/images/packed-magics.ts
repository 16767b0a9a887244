/** How a file begins; null stands for any byte. */
export type Magic = readonly (number | null)[];

/** How each thing that is unpacked begins, and each of several in one file. */
export const PACKED_MAGICS = {
  gzip: [0x1f, 0x8b, 0x08],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  bzip2: [0x42, 0x5a, 0x68, null, 0x31, 0x41, 0x59, 0x26],
} as const satisfies Record<string, Magic>;

/** What can be unpacked. */
export type PackedFormat = keyof typeof PACKED_MAGICS;
