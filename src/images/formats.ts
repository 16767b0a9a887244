import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { messageOf } from '../util/errors.js';
import { printable } from '../util/text.js';
import { FOREIGN_HEAD_BYTES, foreignFormat, isText } from './foreign-formats.js';
import { PACKED_MAGICS, type Magic, type PackedFormat } from './packed-magics.js';
import { isSkippable, skippableBytes, SKIPPABLE_HEAD_BYTES } from './zstd-frames.js';
import { fail } from './failures.js';
import { fail as ndzFail } from '../ndz/failures.js';

/** What a file is, by how it begins. */
export type ImageFormat = 'ndz' | PackedFormat | 'raw';

const COMPRESSED = ['.gz', '.xz', '.zst', '.bz2'];
/** File name endings of images that are no plain .ndz; a name without ending is tried with each, in this order. */
export const NATIVE_SUFFIXES: readonly string[] = [
  '.raw',
  '.img',
  ...['.ndz', '.raw', '.img', ''].flatMap((inner) => COMPRESSED.map((outer) => inner + outer)),
];

const MAGICS: readonly (readonly [ImageFormat, Magic])[] = [
  ['gzip', PACKED_MAGICS.gzip],
  ['xz', PACKED_MAGICS.xz],
  ['zstd', PACKED_MAGICS.zstd],
  ['bzip2', PACKED_MAGICS.bzip2],
  ['bzip2', [0x42, 0x5a, 0x68, null, 0x17, 0x72, 0x45, 0x38]], // of nothing
  // versions 1 to 4
  ...[0x69, 0x6a, 0x6b, 0x6c].map((byte) => ['ndz', [byte, 0x69, 0x69, 0x69]] as const),
];

/** Tells a format by a file's first bytes; what begins like nothing known is taken for raw. */
export function formatOf(head: Uint8Array): ImageFormat {
  return MAGICS.find(([, magic]) => magic.every((byte, i) => byte === null || head[i] === byte))?.[0] ?? 'raw';
}

/** Throws Failure `ndz-unreadable`, or `image-unknown` for a file of a format that is known to be no image for us. */
export async function formatOfFile(path: string): Promise<ImageFormat> {
  let head: Buffer;
  try {
    head = await headBehindSkippable(path);
  } catch (error) {
    throw ndzFail('ndz-unreadable', `${path}: ${messageOf(error)}`, 'does the image exist, and may this user read it?', {
      cause: error,
    });
  }
  if (isSkippable(head))
    throw fail('image-unknown', `${path} holds nothing but skippable frames, as of zstd or lz4`, 'is the download complete?');
  const format = formatOf(head);
  const foreign = format === 'raw' ? foreignFormat(head) : null;
  if (foreign) throw fail('image-unknown', `${path} is ${foreign.is}, not an image`, foreign.instead);
  return format;
}

/** What a readable file that is no disk begins with, `a text that begins with ...`; null for one that is no text. Throws the system's error. */
export async function textOf(path: string): Promise<string | null> {
  const head = await headBehindSkippable(path);
  if (!isText(head)) return null;
  return `a text that begins with ${JSON.stringify(printable(head.toString('latin1', 0, 200).trim().split('\n')[0] ?? '').slice(0, 60))}`;
}

/** A file's first bytes; parallel and seekable compressors put frames in front that decompressors pass over. */
async function headBehindSkippable(path: string): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe of that name must not hang us
  try {
    const at = async (offset: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    let offset = 0;
    for (let head = await at(0, SKIPPABLE_HEAD_BYTES); isSkippable(head); head = await at(offset, SKIPPABLE_HEAD_BYTES))
      offset += skippableBytes(head);
    const head = await at(offset, FOREIGN_HEAD_BYTES);
    return head.byteLength === 0 && offset > 0 ? await at(0, FOREIGN_HEAD_BYTES) : head;
  } finally {
    await handle.close();
  }
}
