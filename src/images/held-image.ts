import { constants, existsSync, type Stats } from 'node:fs';
import { link, lstat, open, readlink, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf, systemCode, UserError } from '../util/errors.js';
import { HeldFolder } from '../util/held-folder.js';
import {
  parseChecksum,
  unreadableChecksum,
  checksumPath,
  parseProvenance,
  provenancePath,
  unreadableProvenance,
  type Provenance,
} from './records.js';
import { readSideText } from './side-file.js';
import { fail as ndzFail } from '../ndz/failures.js';

const DESCRIPTORS = '/proc/self/fd';

/**
 * An image in a folder where others may put something else in its place while we work: it is opened once, without
 * following a link, and everything that is done with it is done with that very file in that very folder.
 */
export class HeldImage {
  /** Where it was found; for people. */
  readonly path: string;
  /** As it was when it was opened. */
  readonly stats: Stats;
  readonly handle: FileHandle;
  readonly #folder: HeldFolder;

  private constructor(path: string, handle: FileHandle, stats: Stats, folder: HeldFolder) {
    this.path = path;
    this.handle = handle;
    this.stats = stats;
    this.#folder = folder;
  }

  /**
   * `path` has no links in it, as `realpath` gives it. Throws UserError `refused` when it is none of ours to give away
   * any more: a link, no regular file, somewhere else than it was; Failure `ndz-unreadable`.
   */
  static async open(path: string): Promise<HeldImage> {
    const folder = HeldFolder.open(dirname(path), { follow: false });
    let handle: FileHandle | null = null;
    try {
      handle = await open(folder.at(basename(path)), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
      const stats = await handle.stat();
      if (!stats.isFile()) throw swapped(path, 'it is no regular file');
      const place = existsSync(DESCRIPTORS) ? await readlink(`${DESCRIPTORS}/${handle.fd}`) : path;
      if (place !== path) throw swapped(path, `it is ${place} now`);
      refusePrivate(path, stats);
      return new HeldImage(path, handle, stats, folder);
    } catch (error) {
      await handle?.close();
      folder.close();
      if (systemCode(error) === 'ELOOP') throw swapped(path, 'it is a link now');
      if (error instanceof UserError) throw error;
      throw ndzFail('ndz-unreadable', folder.plain(messageOf(error)), 'does the image exist, and may this user read it?', {
        cause: error,
      });
    }
  }

  /** A path by which this very file can be read while it is held, whatever has its name. */
  get readPath(): string {
    return existsSync(DESCRIPTORS) ? `${DESCRIPTORS}/${this.handle.fd}` : this.path;
  }

  /** What its `.sha256` says; null without one. A link is refused. Throws Failure `checksum-unreadable`. */
  async checksum(): Promise<string | null> {
    const text = await readSideText(this.#folder.at(basename(checksumPath(this.path))), { follow: false }).catch((error: unknown) => {
      throw unreadableChecksum(this.path, this.#plain(error));
    });
    return text === null ? null : parseChecksum(text, this.path);
  }

  /** What its `.json` says; null without one. A link is refused. Throws Failure `provenance-unreadable`. */
  async provenance(): Promise<Provenance | null> {
    const text = await readSideText(this.#folder.at(basename(provenancePath(this.path))), { follow: false }).catch((error: unknown) => {
      throw unreadableProvenance(this.path, this.#plain(error).message, error);
    });
    return text === null ? null : parseProvenance(text, this.path);
  }

  /** Gives this very file another name, which nothing has yet, as a hard link. Throws the system's error, or UserError `refused`. */
  async linkTo(path: string): Promise<void> {
    await link(this.#at(this.path), path); // of a name: Node cannot link a descriptor. So it is looked at afterwards what that was
    if (await this.#isAt(path)) return;
    await unlink(path);
    throw swapped(this.path, 'something else has its name now');
  }

  /**
   * Moves this very file to another name in the same folder, in the place of what has it: where there are no hard links.
   * Who could give its name away in the last moment could do the same with the new name.
   */
  async renameTo(path: string): Promise<void> {
    if (!(await this.#isAt(this.#at(this.path)))) throw swapped(this.path, 'something else has its name now');
    await rename(this.#at(this.path), path);
  }

  /** Takes its old name away, and its side files', unless something else has it by now. */
  async removeOldName(): Promise<void> {
    const isOurs = await this.#isAt(this.#at(this.path));
    for (const path of [...(isOurs ? [this.path] : []), checksumPath(this.path), provenancePath(this.path)]) {
      await unlink(this.#at(path)).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw new Error(this.#folder.plain(messageOf(error)), { cause: error });
      });
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
    this.#folder.close();
  }

  #at(path: string): string {
    return this.#folder.at(basename(path));
  }

  async #isAt(path: string): Promise<boolean> {
    const found = await lstat(path).catch(() => null); // nothing there
    return found !== null && found.dev === this.stats.dev && found.ino === this.stats.ino;
  }

  #plain(error: unknown): Error {
    return new Error(this.#folder.plain(messageOf(error)), { cause: error });
  }
}

/**
 * A file with other names, which not everybody may read, may be somebody's secret that was given this name so that we
 * publish it.
 */
function refusePrivate(path: string, { nlink, mode }: Stats): void {
  if (nlink === 1 || (mode & 0o004) !== 0) return;
  throw new UserError(
    'refused',
    `${path} has other names as well (hard links), and not everybody may read it`,
    'its owner can let everybody read it (chmod a+r), or take a copy of it',
  );
}

function swapped(path: string, what: string): UserError {
  return new UserError(
    'refused',
    `${path} is not what it was: ${what}`,
    'is somebody changing that folder? look at it, and share the image again',
  );
}
