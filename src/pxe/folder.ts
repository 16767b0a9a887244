import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, open, readdir, readlink, rename, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, UserError, messageOf, systemCode } from '../util/errors.js';
import type { ProcessIdentity } from '../util/host.js';
import { temporaryName } from './names.js';

const MAX_RECORD_BYTES = 16_384;

/**
 * The folder of pxelinux' per-machine files, with the few operations we do in it: each is atomic for whoever looks (a TFTP
 * server, other runs of ours), none follows a link. Throws a UserError when the folder is missing, a Failure
 * `pxe-permission` or `pxe-failed` for what else goes wrong.
 */
export class PxeFolder {
  readonly path: string;
  readonly #process: ProcessIdentity;

  constructor(path: string, process: ProcessIdentity) {
    this.path = path;
    this.#process = process;
  }

  list(): Promise<string[]> {
    return this.#doing('read', '', () => readdir(this.path));
  }

  /** What stands under a name: a symbolic link with its text (dangling or not), something else, or nothing. */
  look(name: string): Promise<{ type: 'link'; target: string } | { type: 'other' } | { type: 'none' }> {
    return this.#doing('look at', name, async () => {
      const path = join(this.path, name);
      const info = await orNull(lstat(path));
      if (!info) return { type: 'none' };
      if (!info.isSymbolicLink()) return { type: 'other' };
      const target = await orNull(readlink(path));
      return target === null ? { type: 'none' } : { type: 'link', target };
    });
  }

  /** The contents of a small file of ours and when it was touched last (ms since 1970), null when there is none. */
  read(name: string): Promise<{ contents: string; touchedAt: number } | null> {
    return this.#doing('read', name, async () => {
      const file = await orNull(open(join(this.path, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
      if (!file) return null;
      try {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_RECORD_BYTES), 0, MAX_RECORD_BYTES, 0);
        return { contents: buffer.toString('utf8', 0, bytesRead), touchedAt: (await file.stat()).mtimeMs };
      } finally {
        await file.close();
      }
    });
  }

  /** Creates a file with its whole contents at once; false when the name is taken. */
  create(name: string, contents: string): Promise<boolean> {
    return this.#viaTemporary('create', name, contents, async (temporary, final) => {
      try {
        await link(temporary, final);
        return true;
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return false;
        throw error;
      } finally {
        await orNull(unlink(temporary));
      }
    });
  }

  /** When a file or link was touched last, ms since 1970; 0 when there is none. */
  touchedAt(name: string): Promise<number> {
    return this.#doing('look at', name, async () => (await orNull(lstat(join(this.path, name))))?.mtimeMs ?? 0);
  }

  /** Sets a file's time to now; nothing happens when there is none. */
  touch(name: string): Promise<void> {
    const now = new Date();
    return this.#doing('touch', name, async () => void (await orNull(utimes(join(this.path, name), now, now))));
  }

  /** Puts a file in the place of the one that stands there. */
  async replace(name: string, contents: string): Promise<void> {
    await this.#viaTemporary('replace', name, contents, rename);
  }

  /** Makes `name` a symbolic link with this text, in the place of whatever link stood there. */
  placeLink(name: string, target: string): Promise<void> {
    return this.#doing('place', name, async () => {
      const temporary = this.#temporary();
      await symlink(target, temporary);
      try {
        await rename(temporary, join(this.path, name));
      } catch (error) {
        await orNull(unlink(temporary));
        throw error;
      }
    });
  }

  /** Removes a name; false when there was none. */
  remove(name: string): Promise<boolean> {
    return this.#doing('remove', name, async () => (await orNull(unlink(join(this.path, name)).then(() => true))) ?? false);
  }

  #viaTemporary<T>(doing: string, name: string, contents: string, finish: (temporary: string, final: string) => Promise<T>): Promise<T> {
    return this.#doing(doing, name, async () => {
      const temporary = this.#temporary();
      try {
        await writeFile(temporary, contents, { flag: 'wx', mode: 0o644 });
        return await finish(temporary, join(this.path, name));
      } catch (error) {
        await orNull(unlink(temporary));
        throw error;
      }
    });
  }

  #temporary(): string {
    return join(this.path, temporaryName(this.#process, randomBytes(6).toString('hex')));
  }

  async #doing<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await this.#explain(what, name, error);
    }
  }

  async #explain(what: string, name: string, error: unknown): Promise<Error> {
    const code = systemCode(error);
    const folder = await lstat(join(this.path, '.')).catch((problem: unknown) => systemCode(problem));
    if (folder === 'ENOENT' || folder === 'ENOTDIR') {
      return new UserError('environment', `the folder of next-boot links, ${this.path}, does not exist`, 'set config_dir in section [pxelinux]', { cause: error });
    }
    const path = join(this.path, name);
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return new Failure('pxe-permission', `may not ${what} ${path} (${code})`, `you need to write in ${this.path}: ask for its group, or for sudo`, { cause: error });
    }
    return new Failure('pxe-failed', `cannot ${what} ${path}: ${messageOf(error)}`, undefined, { cause: error });
  }
}

/** Null when the file is not there. */
async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}
