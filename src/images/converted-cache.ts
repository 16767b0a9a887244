import { chmodSync, closeSync, constants, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { lstat, readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { inspectImage } from '../ndz/read/inspect.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import { HeldFolder } from '../util/held-folder.js';
import { processIdentity, type Host } from '../util/host.js';
import { isBelieved, loginOf, readOwned } from '../util/owned-file.js';
import { unfinishedIn, unfinishedName, writeWhole } from '../util/whole-file.js';
import { fail } from './failures.js';

/** What the cache remembers of a file, so that it need not be hashed again. */
export type Known = { source: string; sha256: string; ndz: string; notes: string[] };

/** Converted images that nobody asked for in this time are removed. */
const KEEP_MS = 60 * 24 * 3600 * 1000;
const ENTRY = /^[0-9a-f]{32,}.*\.(?:ndz|json|tmp)$/;
const NDZ = /^[0-9a-f]{64}(?:-[0-9a-f]{16})?\.ndz$/;
const ROOT = 0;
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * The images that were converted, a folder for each user: everybody may make one in the common folder, so nobody believes
 * what others than root put there. Records are JSON beside the images, under any names.
 */
export class ConvertedCache {
  /** The user's own folder. */
  readonly path: string;
  readonly #readable: readonly HeldFolder[];
  readonly #host: Host;

  private constructor(path: string, own: HeldFolder, rootsFolder: HeldFolder | null, host: Host) {
    this.path = path;
    this.#readable = rootsFolder ? [own, rootsFolder] : [own];
    this.#host = host;
  }

  /**
   * Makes the user's folder in `cacheDir`, and removes what killed processes and long ago left in it. To be closed.
   * Throws Failure `cache-unusable`, also where somebody else has the folder, or could put another in its place.
   */
  static async open(cacheDir: string, host: Host): Promise<ConvertedCache> {
    try {
      ensureFolder(cacheDir);
      refuseForeign(cacheDir, host.uid());
      const path = join(cacheDir, String(host.uid()));
      const own = ownFolder(path, host.uid());
      const cache = new ConvertedCache(path, own, host.uid() === ROOT ? null : rootsFolder(cacheDir), host);
      await cache.#sweep(cacheDir);
      return cache;
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw fail('cache-unusable', `the folder for converted images, ${cacheDir}: ${messageOf(error)}`, 'may this user write there?', {
        cause: error,
      });
    }
  }

  /** Where an entry of the user's is, or will be. */
  at(name: string): string {
    return join(this.path, name);
  }

  /** Where a file of that name is made until it is complete. */
  unfinished(name: string): string {
    return join(this.path, unfinishedName(name));
  }

  /** What is remembered under a name, and its image when that is there and sound; that counts as use. */
  async find(record: string): Promise<(Known & { path: string }) | null> {
    for (const folder of this.#readable) {
      const known = await this.#read(folder, record);
      if (known) return { ...known, path: join(folder.path, known.ndz) };
    }
    return null;
  }

  async remember(record: string, known: Known): Promise<void> {
    try {
      await writeWhole(this.at(record), JSON.stringify(known), { mode: 0o644, sync: false, follow: false });
    } catch (error) {
      throw fail('cache-unusable', `writing ${this.at(record)}: ${messageOf(error)}`, 'may this user write there?', {
        cause: error,
      });
    }
  }

  close(): void {
    for (const folder of this.#readable) folder.close();
  }

  async #read(folder: HeldFolder, record: string): Promise<Known | null> {
    try {
      const found = readOwned(folder.at(record), this.#host.uid());
      const known: unknown = found?.believed ? JSON.parse(found.text) : null;
      if (!isKnown(known) || !isBelievedFile(folder.at(known.ndz), this.#host.uid())) return null;
      await inspectImage(folder.at(known.ndz));
      const now = this.#host.now() / 1000;
      for (const used of [record, known.ndz]) await utimes(folder.at(used), now, now).catch(() => undefined); // root's is of use too
      return known;
    } catch {
      return null; // not as it should be: made again
    }
  }

  /** `cacheDir` itself held everybody's images once. */
  async #sweep(cacheDir: string): Promise<void> {
    for (const path of unfinishedIn(this.path, this.#host.now())) await rm(path, { force: true });
    for (const folder of [this.path, cacheDir]) {
      for (const name of await readdir(folder))
        if (await this.#isForgotten(join(folder, name), name)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  async #isForgotten(path: string, name: string): Promise<boolean> {
    const [, pid, startTime] = /^\.convert-(\d+)-(\d+)-/.exec(name) ?? [];
    if (pid === undefined && !ENTRY.test(name)) return false;
    const found = await lstat(path).catch(() => null); // another process may have removed it
    if (found?.uid !== this.#host.uid()) return false;
    return pid === undefined ? this.#host.now() - found.mtimeMs > KEEP_MS : processIdentity(Number(pid))?.startTime !== startTime;
  }
}

/** The common folder is root's or the user's own; where others may write, what is in it must be safe from them. */
function refuseForeign(cacheDir: string, uid: number): void {
  const { uid: owner, mode } = statSync(cacheDir);
  if (owner !== uid && owner !== ROOT) {
    throw fail(
      'cache-unusable',
      `the folder for converted images, ${cacheDir}, is ${loginOf(owner)}'s`,
      "it must be yours or root's: have it removed, or set runs.dir",
    );
  }
  if ((mode & WRITABLE_BY_OTHERS) === 0 || (mode & STICKY) !== 0) return;
  if (uid !== owner && uid !== ROOT) {
    throw fail(
      'cache-unusable',
      `the folder for converted images, ${cacheDir}, lets others replace what you keep there`,
      `sudo chmod +t ${cacheDir}`,
    );
  }
  chmodSync(cacheDir, (mode & 0o7777) | STICKY);
}

function ownFolder(path: string, uid: number): HeldFolder {
  try {
    mkdirSync(path, 0o755);
    chmodSync(path, 0o755); // whatever the umask: others read root's
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  const folder = openFolder(path);
  const stats = folder && statSync(folder.at('.'));
  if (folder && stats?.uid === uid && (stats.mode & WRITABLE_BY_OTHERS) === 0) return folder;
  folder?.close();
  throw fail(
    'cache-unusable',
    `your folder for converted images, ${path}, ${stats ? whose(stats.uid, uid) : 'is no folder'}`,
    `remove it, or have it removed: rm -r ${path}`,
  );
}

function whose(owner: number, uid: number): string {
  return owner === uid ? 'may be written by others' : `is ${loginOf(owner)}'s`;
}

/** Root's, for those who may read there; null when it is not there, or not root's. */
function rootsFolder(cacheDir: string): HeldFolder | null {
  const folder = openFolder(join(cacheDir, String(ROOT)));
  if (folder && folder.stats().uid === ROOT && (statSync(folder.at('.')).mode & WRITABLE_BY_OTHERS) === 0) return folder;
  folder?.close();
  return null;
}

/** null for what is no folder, such as a link to one. */
function openFolder(path: string): HeldFolder | null {
  try {
    return HeldFolder.open(path, { follow: false });
  } catch {
    return null;
  }
}

function isBelievedFile(path: string, uid: number): boolean {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    return stats.isFile() && isBelieved(stats, uid);
  } finally {
    closeSync(fd);
  }
}

function isKnown(value: unknown): value is Known {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sha256' in value &&
    typeof value.sha256 === 'string' &&
    'source' in value &&
    typeof value.source === 'string' &&
    'ndz' in value &&
    typeof value.ndz === 'string' &&
    NDZ.test(value.ndz) &&
    'notes' in value &&
    Array.isArray(value.notes) &&
    value.notes.every((note) => typeof note === 'string')
  );
}
