import { open } from 'node:fs/promises';
import { Failure, messageOf } from '../util/errors.js';

/** What a file is, by how it begins. */
export type ImageFormat = 'ndz' | 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'raw';

const COMPRESSED = ['.gz', '.xz', '.zst', '.bz2'];
/** File name endings of images that are no plain .ndz; a name without ending is tried with each, in this order. */
export const NATIVE_SUFFIXES: readonly string[] = ['.raw', '.img', ...['.ndz', '.raw', '.img', ''].flatMap((inner) => COMPRESSED.map((outer) => inner + outer))];

/** null stands for any byte. */
const MAGICS: readonly (readonly [ImageFormat, readonly (number | null)[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68, null, 0x31, 0x41, 0x59, 0x26]],
  // versions 1 to 4
  ...[0x69, 0x6a, 0x6b, 0x6c].map((byte) => ['ndz', [byte, 0x69, 0x69, 0x69]] as const),
];

/** Tells a format by a file's first bytes; what begins like nothing known is taken for raw. */
export function formatOf(head: Uint8Array): ImageFormat {
  return MAGICS.find(([, magic]) => magic.every((byte, i) => byte === null || head[i] === byte))?.[0] ?? 'raw';
}

/** Throws Failure `ndz-unreadable`. */
export async function formatOfFile(path: string): Promise<ImageFormat> {
  try {
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, 0);
      return formatOf(buffer.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new Failure('ndz-unreadable', `${path}: ${messageOf(error)}`, 'does the image exist, and may this user read it?', { cause: error });
  }
}
