import { constants } from 'node:fs';
import { createHash } from 'node:crypto';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from '../util/abort.js';
import type { Bmap } from './bmap-text.js';
import { Failure, messageOf } from '../util/errors.js';
import { fail } from './failures.js';

/** A .bmap beside an image. `isGuessed`: its name is the image's without more than known endings, so it may be another image's. */
export type BmapRef = { path: string; isGuessed: boolean };

/** A hundred bytes a range: more than 100,000 of them. The largest that are published have some hundred kB. */
const MAX_BMAP_BYTES = 16 * 1024 * 1024;
const HASH_BYTES = 1024 * 1024;
/** Endings that say of what kind an image is, and not which. */
const KNOWN_ENDING =
  /\.(?:gz|xz|zst|bz2|raw|img|image|wic|hddimg|hdddirect|sdcard|sdimg|rpi-sdimg|direct|iso|bin|rootfs|ext[234]|btrfs|xfs)$/i;

/** The .bmap beside an image, by bmaptool's rules: the image's name with .bmap added, or in place of its endings; null without one. */
export async function findBmap(image: string): Promise<BmapRef | null> {
  let [name, isGuessed] = [basename(image), false];
  for (;;) {
    const path = join(dirname(image), `${name}.bmap`);
    if ((await stat(path).catch(() => null))?.isFile()) return { path, isGuessed };
    if (!name.includes('.', 1)) return null;
    isGuessed ||= !KNOWN_ENDING.test(name);
    name = name.slice(0, name.lastIndexOf('.'));
  }
}

/** Throws Failure `bmap-unreadable`, or the signal's reason. */
export async function readBmap(path: string, signal?: AbortSignal): Promise<Bmap> {
  try {
    const bytes = await readSmall(path);
    const { parseBmap } = await import('./bmap-text.js'); // few images have one
    return await parseBmap(bytes, path, signal);
  } catch (error) {
    if (signal?.aborted) throw reasonOf(signal);
    throw fail('bmap-unreadable', `${path}: ${messageOf(error)}`, 'remove it to load the image without it', { cause: error });
  }
}

async function readSmall(path: string): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe of that name must not hang us
  try {
    const { size } = await handle.stat();
    if (size > MAX_BMAP_BYTES) throw new Error(`it has more than ${MAX_BMAP_BYTES} bytes`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/**
 * Compares a raw image with its bmap's size and checksums; messages call it `name`. Throws Failure `bmap-mismatch`, or the
 * signal's reason.
 */
export async function checkBmap(
  raw: string,
  bmap: Bmap,
  { name = raw, signal }: { name?: string; signal?: AbortSignal } = {},
): Promise<void> {
  const mismatch = (what: string): Failure =>
    fail('bmap-mismatch', `${name} is not what ${bmap.path} describes: ${what}`, 'copy both again from where they came from');
  const { hashOf } = await import('./bmap-text.js');
  const handle = await open(raw, 'r');
  try {
    const { size } = await handle.stat();
    if (size !== bmap.sizeBytes) throw mismatch(`it has ${size} bytes${name === raw ? '' : ' when it is unpacked'}, not ${bmap.sizeBytes}`);
    const hashName = hashOf(bmap.checksumType);
    if (hashName === undefined) return;
    const buffer = Buffer.alloc(HASH_BYTES);
    for (const { first, last, checksum } of bmap.ranges) {
      if (checksum === null) continue;
      const seen = await hashPart(handle, buffer, hashName, first * bmap.blockBytes, Math.min((last + 1) * bmap.blockBytes, size), signal);
      if (seen !== checksum) throw mismatch(`blocks ${first} to ${last} have another ${hashName}`);
    }
  } finally {
    await handle.close();
  }
}

async function hashPart(
  handle: FileHandle,
  buffer: Buffer,
  hashName: string,
  from: number,
  to: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash(hashName);
  for (let at = from; at < to; ) {
    if (signal?.aborted) throw reasonOf(signal);
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.byteLength, to - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}
