import { createHash } from 'node:crypto';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from '../util/abort.js';
import { Failure, messageOf } from '../util/errors.js';

/** What a .bmap file (of bmap-tools) says of a raw image: which blocks of it mean something, and their checksums. */
export type Bmap = {
  path: string;
  sizeBytes: number;
  blockBytes: number;
  checksumType: string | null;
  /** Blocks from `first` to `last`, both included, ascending. */
  ranges: { first: number; last: number; checksum: string | null }[];
};

const MAX_BMAP_BYTES = 64 * 1024 * 1024;
const HASHES = new Map([['sha1', 'sha1'], ['sha256', 'sha256'], ['sha512', 'sha512'], ['md5', 'md5']]);

/** The .bmap beside an image, by bmaptool's rules: the image's name with .bmap added, or in place of its endings; null without one. */
export async function findBmap(image: string): Promise<string | null> {
  const names = [basename(image)];
  for (let name = names[0] ?? ''; name.includes('.', 1); names.push(name)) name = name.slice(0, name.lastIndexOf('.'));
  for (const name of names) {
    const path = join(dirname(image), `${name}.bmap`);
    if ((await stat(path).catch(() => null))?.isFile()) return path;
  }
  return null;
}

/** Throws Failure `bmap-unreadable`. */
export async function readBmap(path: string): Promise<Bmap> {
  try {
    if ((await stat(path)).size > MAX_BMAP_BYTES) throw new Error(`it has more than ${MAX_BMAP_BYTES} bytes`);
    return parseBmap(await readFile(path, 'utf8'), path);
  } catch (error) {
    throw new Failure('bmap-unreadable', `${path}: ${messageOf(error)}`, 'remove it to load the image without it', { cause: error });
  }
}

/** Reads format versions 1 and 2, and checks what newer ones say of themselves. Throws Error for text that is no bmap, or a damaged one. */
export function parseBmap(text: string, path: string): Bmap {
  const plain = text.replace(/<!--[\s\S]*?-->/g, '');
  const field = (name: string): string | null => new RegExp(`<${name}>\\s*([^<\\s]+)\\s*</${name}>`).exec(plain)?.[1] ?? null;
  const whole = (name: string): number => {
    const number = Number(field(name) ?? NaN);
    if (!Number.isSafeInteger(number) || number < 1) throw new Error(`it has no ${name}`);
    return number;
  };
  const [sizeBytes, blockBytes] = [whole('ImageSize'), whole('BlockSize')];
  const ranges: Bmap['ranges'] = [];
  for (const [, attributes = '', content = ''] of plain.matchAll(/<Range([^>]*)>\s*([^<]*?)\s*<\/Range>/g)) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(content);
    const [first, last] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? match?.[1] ?? NaN)];
    if (!(first <= last) || first <= (ranges.at(-1)?.last ?? -1) || first * blockBytes >= sizeBytes) throw new Error(`it has a range ${JSON.stringify(content)}`);
    ranges.push({ first, last, checksum: /(?:chksum|sha1)="([0-9a-fA-F]+)"/.exec(attributes)?.[1]?.toLowerCase() ?? null });
  }
  if (ranges.length === 0) throw new Error('it has no ranges');
  const mapped = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const counted = field('MappedBlocksCount');
  if (counted !== null && Number(counted) !== mapped) throw new Error(`it says that ${counted} blocks are mapped, and its ranges have ${mapped}`);
  const checksumType = field('ChecksumType') ?? (/sha1="/.test(plain) ? 'sha1' : null);
  refuseDamaged(text, field('BmapFileChecksum') ?? field('BmapFileSHA1'), checksumType);
  return { path, sizeBytes, blockBytes, checksumType, ranges };
}

/** A bmap has a checksum of itself, taken with zeros in its place. */
function refuseDamaged(text: string, checksum: string | null, checksumType: string | null): void {
  const hashName = HASHES.get(checksumType ?? 'sha1');
  if (checksum === null || hashName === undefined) return;
  const seen = createHash(hashName).update(text.replace(checksum, '0'.repeat(checksum.length))).digest('hex');
  if (seen !== checksum.toLowerCase()) throw new Error(`its own ${hashName} is wrong: it is damaged, or was edited`);
}

/** Compares a raw image with its bmap's size and checksums. Throws Failure `bmap-mismatch`, or the signal's reason. */
export async function checkBmap(raw: string, bmap: Bmap, signal?: AbortSignal): Promise<void> {
  const mismatch = (what: string): Failure => new Failure('bmap-mismatch', `${raw} is not what ${bmap.path} describes: ${what}`, 'copy both again from where they came from');
  const handle = await open(raw, 'r');
  try {
    const { size } = await handle.stat();
    if (size !== bmap.sizeBytes) throw mismatch(`it has ${size} bytes, not ${bmap.sizeBytes}`);
    const hashName = HASHES.get(bmap.checksumType ?? '');
    if (hashName === undefined) return;
    for (const { first, last, checksum } of bmap.ranges) {
      if (checksum === null) continue;
      const seen = await hashPart(handle, hashName, first * bmap.blockBytes, Math.min((last + 1) * bmap.blockBytes, size), signal);
      if (seen !== checksum) throw mismatch(`blocks ${first} to ${last} have another ${hashName}`);
    }
  } finally {
    await handle.close();
  }
}

async function hashPart(handle: FileHandle, hashName: string, from: number, to: number, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash(hashName);
  const buffer = Buffer.alloc(1024 * 1024);
  for (let at = from; at < to; ) {
    if (signal?.aborted) throw reasonOf(signal);
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.byteLength, to - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}
