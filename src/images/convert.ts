import { createHash } from 'node:crypto';
import { chmod, open, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { planRanges } from '../disk/plan/plan.js';
import type { Plan } from '../disk/plan/plan-types.js';
import { SECTOR_BYTES, type SectorRange } from '../disk/sector.js';
import { CHUNK_BYTES } from '../ndz/codec/format.js';
import { inspectImage } from '../ndz/read/inspect.js';
import { openSource, type ImageSource } from '../disk/source.js';
import { writeImage } from '../ndz/write/writer.js';
import { Failure } from '../util/errors.js';
import { systemHost, type Host } from '../util/host.js';
import type { Bmap } from './bmap-text.js';
import { checkBmap, findBmap, readBmap, type BmapRef } from './bmap.js';
import { hashFile } from './records.js';
import { ConvertedCache } from './converted-cache.js';
import { formatOfFile, textOf, type ImageFormat } from './formats.js';
import { FreeSpace, LARGEST_DISK_BYTES, refuseTooLarge } from './room.js';
import { unpack } from './unpack.js';
import { fail } from './failures.js';
import { fail as ndzFail } from '../ndz/failures.js';

export type ConvertPhase = 'hash' | 'unpack' | 'zip';

export type ConvertOptions = {
  /** Where converted images are kept, in a folder for each user; made when missing. */
  cacheDir: string;
  host?: Host;
  /** Of the disks it is for; as large as the format describes unless told otherwise. */
  largestDiskBytes?: number;
  workers?: number;
  signal?: AbortSignal;
  onProgress?: (phase: ConvertPhase, doneBytes: number, totalBytes: number) => void;
};

export type ConvertedImage = {
  /** An .ndz: the given file itself, or one in the user's cache or root's. */
  path: string;
  /** What the given file was. */
  format: ImageFormat;
  /** Whether work was done now; false for an .ndz, and for one that was in the cache. */
  converted: boolean;
  /** SHA-256 of the given file; null for an .ndz. */
  sha256: string | null;
  /** Sentences for people, such as what of the disk was not understood and saved raw. */
  notes: string[];
};

/**
 * The .ndz of an image, whatever it is: an .ndz itself, a raw disk, or one compressed by gzip, xz, zstd or bzip2 (or a
 * compressed .ndz), told apart by content; a .bmap beside it is checked. Converted ones are kept by the SHA-256 of the
 * given file, appear when they are complete, and may be made by several processes at once.
 * Throws Failure `image-unknown` for a file that holds no disk we know, `image-damaged`, `image-changed`, `program-missing`,
 * `bmap-unreadable`, `bmap-mismatch`, `cache-unusable`, `no-room`, `source-too-large`, those of `writeImage` and
 * `inspectImage`, or the signal's reason. Messages name the given file.
 */
export async function ensureNdz(path: string, options: ConvertOptions): Promise<ConvertedImage> {
  const format = await formatOfFile(path);
  if (format === 'ndz') return { path, format, converted: false, sha256: null, notes: [] };
  const cache = await ConvertedCache.open(options.cacheDir, options.host ?? systemHost);
  try {
    return await fromCache(path, format, cache, options);
  } finally {
    cache.close();
  }
}

async function fromCache(path: string, format: ImageFormat, cache: ConvertedCache, options: ConvertOptions): Promise<ConvertedImage> {
  const { signal, onProgress } = options;
  const bmap = await findBmap(path);
  const identity = await identityOf(path, bmap);
  const remembered = await cache.find(`${identity}.json`);
  if (remembered) return { path: remembered.path, format, converted: false, sha256: remembered.sha256, notes: remembered.notes };
  const totalBytes = (await stat(path)).size;
  const sha256 = await hashFile(path, { ...(signal ? { signal } : {}), onBytes: (bytes) => onProgress?.('hash', bytes, totalBytes) });
  const ndz = `${sha256}${bmap === null ? '' : `-${(await hashFile(bmap.path)).slice(0, 16)}`}.ndz`;
  const found = await cache.find(`${ndz}.json`);
  const notes = found ? found.notes : await convert({ path, format, bmap, totalBytes, ndz }, cache, options);
  if ((await identityOf(path, bmap)) !== identity)
    throw fail('image-changed', `${path} changed while it was converted`, 'is it still being copied? try again when that is done');
  const known = { source: resolve(path), sha256, ndz, notes };
  // a record speaks of the folder that it lies in
  if (!found || found.path === cache.at(ndz)) for (const record of [`${ndz}.json`, `${identity}.json`]) await cache.remember(record, known);
  return { path: found?.path ?? cache.at(ndz), format, converted: !found, sha256, notes };
}

type Given = { path: string; format: ImageFormat; bmap: BmapRef | null; totalBytes: number; ndz: string };

/** Makes the image in the cache; returns notes. */
async function convert(
  { path, format, bmap: ref, totalBytes, ndz }: Given,
  cache: ConvertedCache,
  options: ConvertOptions,
): Promise<string[]> {
  const { host = systemHost, signal, onProgress } = options;
  const largestDiskBytes = Math.min(LARGEST_DISK_BYTES, options.largestDiskBytes ?? Infinity);
  const [notes, space] = [[] as string[], new FreeSpace(cache.path, path)];
  const bmap = ref === null ? null : await usableBmap(ref, notes, signal);
  const limits = { largestDiskBytes, exactBytes: bmap === null || ref?.isGuessed ? null : bmap.sizeBytes };
  const [unpacked, fresh] = [cache.unfinished(`${ndz}.raw`), cache.unfinished(ndz)];
  const isPacked = format !== 'raw' && format !== 'ndz';
  const raw = isPacked ? unpacked : path;
  try {
    if (isPacked) {
      notes.push(
        ...(
          await unpack(path, format, raw, {
            host,
            limits,
            ...(signal ? { signal } : {}),
            beforeWrite: (bytes) => space.take(bytes),
            onBytes: (bytes) => onProgress?.('unpack', bytes, totalBytes),
          })
        ).notes,
      );
    } else refuseTooLarge(path, totalBytes, limits);
    const fitting = bmap && (await fits(bmap, ref, raw, notes)) ? bmap : null;
    if (fitting) await checkBmap(raw, fitting, { name: path, ...(signal ? { signal } : {}) });
    if (isPacked && (await formatOfFile(raw)) === 'ndz') await rename(raw, fresh);
    else notes.push(...(await zip(path, raw, fresh, fitting, space, options)));
    await inspectImage(fresh, signal ? { signal } : {});
    await chmod(fresh, 0o644);
    await rename(fresh, cache.at(ndz));
    return notes;
  } catch (error) {
    if (!(error instanceof Failure) || ![fresh, unpacked].some((name) => error.message.includes(name))) throw error;
    throw error.with({ message: error.message.replaceAll(fresh, path).replaceAll(unpacked, path) });
  } finally {
    for (const left of [unpacked, fresh]) await rm(left, { force: true });
  }
}

/** A .bmap that was guessed may be another image's, and is no reason to refuse this one: then null, and a note. */
async function usableBmap(ref: BmapRef, notes: string[], signal: AbortSignal | undefined): Promise<Bmap | null> {
  try {
    return await readBmap(ref.path, signal);
  } catch (error) {
    if (!ref.isGuessed || !(error instanceof Failure)) throw error;
    notes.push(`not compared with a .bmap: ${error.message}`);
    return null;
  }
}

async function fits(bmap: Bmap, ref: BmapRef | null, raw: string, notes: string[]): Promise<boolean> {
  const { size } = await stat(raw);
  if (!ref?.isGuessed || size === bmap.sizeBytes) return true;
  notes.push(`not compared with ${bmap.path}, which is of another image: of ${bmap.sizeBytes} bytes, and this one has ${size}`);
  return false;
}

async function zip(
  path: string,
  raw: string,
  fresh: string,
  bmap: Bmap | null,
  space: FreeSpace,
  options: ConvertOptions,
): Promise<string[]> {
  const source = await openSource(raw);
  try {
    const named = { ...source, name: path };
    const plan = await planRanges(named, options.signal ? { signal: options.signal } : {});
    const isKnown = plan.table !== null || plan.partitions.some(({ fileSystem }) => fileSystem !== null);
    if (!isKnown && !bmap) throw await unknown(path, raw, source.sizeBytes ?? 0);
    await writeChunks(named, fresh, isKnown || !bmap ? plan.ranges : mappedRanges(bmap, plan), space, options);
    return plan.notes;
  } finally {
    await source.close();
  }
}

/** Into a file that is to have its name only later, and that everybody may read and nobody else write. */
async function writeChunks(
  source: ImageSource,
  fresh: string,
  ranges: SectorRange[],
  space: FreeSpace,
  { workers, signal, onProgress }: ConvertOptions,
): Promise<void> {
  const totalBytes = ranges.reduce((sum, { startSector, endSector }) => sum + endSector - startSector, 0) * SECTOR_BYTES;
  const handle = await open(fresh, 'wx', 0o644);
  const output = handle.createWriteStream({ autoClose: false });
  try {
    await writeImage(source, output, {
      ranges,
      checksum: true,
      ...(workers === undefined ? {} : { workers }),
      ...(signal ? { signal } : {}),
      onChunk: () => space.take(CHUNK_BYTES),
      onProgress: ({ dataBytes }) => onProgress?.('zip', dataBytes, totalBytes),
    });
    await handle.sync();
  } catch (error) {
    if (!ndzFail.is(error, 'image-write-failed')) throw error;
    throw error.with({
      message: `converting ${source.name}: ${error.message}`,
      hint: 'is the disk of the converted images full, or broken?',
    });
  } finally {
    output.destroy();
    await handle.close();
  }
}

async function unknown(path: string, raw: string, sizeBytes: number): Promise<Failure> {
  const what = await textOf(raw);
  const isPacked = raw !== path;
  if (what !== null)
    return fail(
      'image-unknown',
      `${path} is no image that is known here: ${isPacked ? 'what it holds is' : 'it is'} ${what}`,
      'is it the right file?',
    );
  const bytes = isPacked ? `the ${sizeBytes} bytes that come out of it` : `not compressed, and its ${sizeBytes} bytes`;
  return fail(
    'image-unknown',
    `${path} is no image that is known here: not .ndz, ${bytes} hold neither a partition table nor a file system`,
    'is it the right file? a disk of another kind can be made an image with: imaging-image zip --raw',
  );
}

/** The blocks that a bmap says mean something, as sectors. */
function mappedRanges({ ranges, blockBytes, sizeBytes }: Bmap, { diskSectors }: Plan): SectorRange[] {
  const sectors: SectorRange[] = [];
  for (const { first, last } of ranges) {
    const startSector = Math.floor((first * blockBytes) / SECTOR_BYTES);
    const endSector = Math.min(Math.ceil(Math.min((last + 1) * blockBytes, sizeBytes) / SECTOR_BYTES), diskSectors);
    const before = sectors.at(-1);
    if (before && startSector <= before.endSector) before.endSector = Math.max(before.endSector, endSector);
    else sectors.push({ startSector, endSector });
  }
  return sectors;
}

/** A name for a file as it is now: another one when it, or its bmap, has been written since. */
async function identityOf(path: string, bmap: BmapRef | null): Promise<string> {
  const hash = createHash('sha256');
  for (const file of bmap === null ? [path] : [path, bmap.path]) {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    hash.update(`${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}
