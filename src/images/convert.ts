import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { planRanges } from '../ndz/allocation/plan.js';
import type { Plan } from '../ndz/allocation/plan-types.js';
import { SECTOR_BYTES } from '../ndz/format.js';
import type { SectorRange } from '../ndz/ranges.js';
import { inspectImage } from '../ndz/reader.js';
import { openSource } from '../ndz/source.js';
import { writeImage } from '../ndz/writer.js';
import { Failure, messageOf } from '../util/errors.js';
import { processIdentity, systemHost, type Host } from '../util/host.js';
import { checkBmap, findBmap, readBmap, type Bmap } from './bmap.js';
import { hashFile } from './checksum-file.js';
import { formatOfFile, type ImageFormat } from './formats.js';
import { unpack } from './unpack.js';

export type ConvertPhase = 'hash' | 'unpack' | 'zip';

export type ConvertOptions = {
  /** Where converted images are kept; made when missing. */
  cacheDir: string;
  host?: Host;
  workers?: number;
  signal?: AbortSignal;
  onProgress?: (phase: ConvertPhase, doneBytes: number, totalBytes: number) => void;
};

export type ConvertedImage = {
  /** An .ndz: the given file itself, or one in the cache. */
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

/** What the cache remembers of a file, so that it need not be hashed again. */
type Known = { source: string; sha256: string; ndz: string; notes: string[] };

/** Converted images that nobody asked for in this time are removed. */
const KEEP_MS = 60 * 24 * 3600 * 1000;
const OURS = /^[0-9a-f]{32,}.*\.(ndz|json|tmp)$/;

/**
 * The .ndz of an image, whatever it is: an .ndz itself, a raw disk, or one compressed by gzip, xz, zstd or bzip2 (or a
 * compressed .ndz), told apart by content; a .bmap beside it is checked. Converted ones are kept by the SHA-256 of the
 * given file, appear when they are complete, and may be made by several processes at once.
 * Throws Failure `image-unknown` for a file that holds no disk we know, `image-damaged`, `image-changed`, `program-missing`,
 * `bmap-unreadable`, `bmap-mismatch`, `cache-unusable`, those of `writeImage` and `inspectImage`, or the signal's reason.
 */
export async function ensureNdz(path: string, options: ConvertOptions): Promise<ConvertedImage> {
  const format = await formatOfFile(path);
  if (format === 'ndz') return { path, format, converted: false, sha256: null, notes: [] };
  const { cacheDir, host = systemHost } = options;
  await prepare(cacheDir, host);
  const bmapPath = await findBmap(path);
  const identity = await identityOf(path, bmapPath);
  const remembered = join(cacheDir, `${identity}.json`);
  const known = await readKnown(remembered, cacheDir, host);
  if (known) return { path: join(cacheDir, known.ndz), format, converted: false, sha256: known.sha256, notes: known.notes };
  const totalBytes = (await stat(path)).size;
  const { signal, onProgress } = options;
  const sha256 = await hashFile(path, { ...(signal ? { signal } : {}), onBytes: (bytes) => onProgress?.('hash', bytes, totalBytes) });
  const bmap = bmapPath === null ? null : await readBmap(bmapPath);
  const ndz = `${sha256}${bmapPath === null ? '' : `-${(await hashFile(bmapPath)).slice(0, 16)}`}.ndz`;
  const found = await readKnown(join(cacheDir, `${ndz}.json`), cacheDir, host);
  const notes = found ? found.notes : await convert(path, format, bmap, join(cacheDir, ndz), options);
  if ((await identityOf(path, bmapPath)) !== identity) throw new Failure('image-changed', `${path} changed while it was converted`, 'is it still being copied? try again when that is done');
  for (const file of [join(cacheDir, `${ndz}.json`), remembered]) await writeKnown(file, { source: resolve(path), sha256, ndz, notes }, host);
  return { path: join(cacheDir, ndz), format, converted: !found, sha256, notes };
}

/** Makes `target`; returns notes. */
async function convert(path: string, format: ImageFormat, bmap: Bmap | null, target: string, options: ConvertOptions): Promise<string[]> {
  const { cacheDir, host = systemHost, signal, onProgress } = options;
  const work = await mkdtemp(join(cacheDir, `.convert-${host.pid}-${processIdentity(host.pid)?.startTime ?? '0'}-`));
  try {
    let raw = path;
    if (format !== 'raw' && format !== 'ndz') {
      raw = join(work, 'raw');
      const totalBytes = (await stat(path)).size;
      await unpack(path, format, raw, { host, ...(signal ? { signal } : {}), onBytes: (bytes) => onProgress?.('unpack', bytes, totalBytes) });
    }
    if (bmap) await checkBmap(raw, bmap, signal);
    const fresh = join(work, 'image.ndz');
    const notes = raw !== path && (await formatOfFile(raw)) === 'ndz' ? await adopt(raw, fresh) : await zip(path, raw, fresh, bmap, options);
    await inspectImage(fresh, signal ? { signal } : {});
    await rename(fresh, target);
    return notes;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What was unpacked is an .ndz already. */
async function adopt(unpacked: string, fresh: string): Promise<string[]> {
  await rename(unpacked, fresh);
  return [];
}

async function zip(path: string, raw: string, fresh: string, bmap: Bmap | null, { workers, signal, onProgress }: ConvertOptions): Promise<string[]> {
  const source = await openSource(raw);
  try {
    const plan = await planRanges({ ...source, name: path }, signal ? { signal } : {});
    const isKnown = plan.table !== null || plan.partitions.some(({ fileSystem }) => fileSystem !== null);
    if (!isKnown && !bmap) throw unknown(path, source.sizeBytes ?? 0);
    const ranges = isKnown || !bmap ? plan.ranges : mappedRanges(bmap, plan);
    const totalBytes = ranges.reduce((sum, { startSector, endSector }) => sum + endSector - startSector, 0) * SECTOR_BYTES;
    await writeImage(source, fresh, {
      ranges, checksum: true,
      ...(workers === undefined ? {} : { workers }),
      ...(signal ? { signal } : {}),
      onProgress: ({ dataBytes }) => onProgress?.('zip', dataBytes, totalBytes),
    });
    return plan.notes;
  } finally {
    await source.close();
  }
}

function unknown(path: string, sizeBytes: number): Failure {
  return new Failure('image-unknown', `${path} is no image that is known here: not .ndz, not compressed, and its ${sizeBytes} bytes hold neither a partition table nor a file system`,
    'is it the right file? a disk of another kind can be made an image with: imaging-image zip --raw');
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
async function identityOf(path: string, bmapPath: string | null): Promise<string> {
  const hash = createHash('sha256');
  for (const file of bmapPath === null ? [path] : [path, bmapPath]) {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    hash.update(`${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

/** Makes the cache, and removes what crashed processes and long ago left in it. */
async function prepare(cacheDir: string, host: Host): Promise<void> {
  try {
    await mkdir(cacheDir, { recursive: true });
    for (const name of await readdir(cacheDir)) {
      const path = join(cacheDir, name);
      const owner = /^\.convert-(\d+)-(\d+)-/.exec(name);
      const isOrphan = owner !== null && processIdentity(Number(owner[1]))?.startTime !== owner[2];
      const usedMs = (await stat(path).catch(() => null))?.mtimeMs ?? host.now(); // another process may have removed it
      const isOld = owner === null && OURS.test(name) && host.now() - usedMs > KEEP_MS;
      if (isOrphan || isOld) await rm(path, { recursive: true, force: true });
    }
  } catch (error) {
    throw new Failure('cache-unusable', `the folder for converted images, ${cacheDir}: ${messageOf(error)}`, 'may this user write there?', { cause: error });
  }
}

/** What the cache remembers, if its .ndz is there; that counts as use. */
async function readKnown(file: string, cacheDir: string, host: Host): Promise<Known | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (!isKnown(parsed)) return null;
    const ndz = join(cacheDir, parsed.ndz);
    await inspectImage(ndz);
    const now = host.now() / 1000;
    for (const used of [file, ndz]) await utimes(used, now, now).catch(() => undefined); // somebody else's cache is of use too
    return parsed;
  } catch {
    return null; // not there, or not as it should be: made again
  }
}

function isKnown(value: unknown): value is Known {
  return typeof value === 'object' && value !== null && 'sha256' in value && typeof value.sha256 === 'string' && 'source' in value && typeof value.source === 'string'
    && 'ndz' in value && typeof value.ndz === 'string' && /^[0-9a-f]{64}(-[0-9a-f]{16})?\.ndz$/.test(value.ndz) && 'notes' in value && Array.isArray(value.notes);
}

async function writeKnown(file: string, known: Known, host: Host): Promise<void> {
  const fresh = `${file}.${host.pid}.${host.random().toString(36).slice(2)}.tmp`;
  await writeFile(fresh, JSON.stringify(known));
  await rename(fresh, file);
}
