import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDefect, UserError, messageOf, systemCode } from '../util/errors.js';
import { type FileCalls, fileCalls, writeAll } from '../util/file-calls.js';
import { temporaryName } from './names.js';
import type { Who } from './who.js';
import { fail } from './failures.js';

const MAX_RECORD_BYTES = 16_384;
/** Everybody reads what we make, whatever our umask says: the TFTP server links, other users who holds a node. */
const MODE = 0o644;
/** A name that is opened is no link, and nobody is waited for at the other end of a pipe. */
const AS_IT_IS = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** A small file as found; `touchedAt`, by the file server's clock, in ms since 1970, and `uid` are the open file's own. */
export type FoundFile = { contents: string; touchedAt: number; uid: number };

/**
 * The folder of pxelinux' per-machine files, with the few operations we do in it: each is atomic for whoever looks (a TFTP
 * server, other runs of ours), none follows a link. Throws a UserError when the folder is missing, a Failure
 * `pxe-permission` or `pxe-failed` for what else goes wrong.
 */
export class PxeFolder {
  readonly path: string;
  readonly #us: Who;
  readonly #calls: FileCalls;

  constructor(path: string, us: Who, calls = fileCalls(path)) {
    this.path = path;
    this.#us = us;
    this.#calls = calls;
  }

  list(): Promise<string[]> {
    return this.#doing('read', '', () => readdir(this.path));
  }

  /** What stands under a name: a symbolic link with its text (dangling or not), something else, or nothing. */
  look(name: string): Promise<{ type: 'link'; target: string; uid: number } | { type: 'other' } | { type: 'none' }> {
    return this.#doing('look at', name, async () => {
      const path = join(this.path, name);
      const info = await orNull(this.#calls.lstat(path));
      if (!info) return { type: 'none' };
      if (!info.isSymbolicLink()) return { type: 'other' };
      const target = await orNull(this.#calls.readlink(path));
      return target === null ? { type: 'none' } : { type: 'link', target, uid: info.uid };
    });
  }

  /** A small file; null when there is none. Empty when a link or a pipe stands there, which we never make. */
  read(name: string): Promise<FoundFile | null> {
    return this.#doing('read', name, async () => {
      const path = join(this.path, name);
      const found = await orNull(this.#calls.open(path, constants.O_RDONLY | AS_IT_IS).catch(unlessOther));
      if (found === null) return null;
      if (found === 'other') return emptyFile(await orNull(this.#calls.lstat(path)));
      try {
        const stats = await this.#calls.fstat(found);
        if (!stats.isFile() && !stats.isDirectory()) return emptyFile(stats);
        return { contents: await contentsOf(this.#calls, found, stats.size), touchedAt: stats.mtimeMs, uid: stats.uid };
      } finally {
        await this.#calls.close(found);
      }
    });
  }

  /** Creates a file with its whole contents at once; false when the name is taken. */
  create(name: string, contents: string): Promise<boolean> {
    return this.#viaTemporary('create', name, contents, async (temporary, final) => {
      try {
        await this.#calls.link(temporary, final);
        return true;
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return false;
        throw error;
      } finally {
        await orNull(this.#calls.unlink(temporary));
      }
    });
  }

  /** When a file or link was touched last, ms since 1970; 0 when there is none. */
  touchedAt(name: string): Promise<number> {
    return this.#doing('look at', name, async () => (await orNull(this.#calls.lstat(join(this.path, name))))?.mtimeMs ?? 0);
  }

  /**
   * Makes the file server stamp a file with its own time, as long as these are its contents; false when they are not. The
   * last byte is written once more: a time that we would set were our clock's.
   */
  touch(name: string, contents: string): Promise<boolean> {
    return this.#doing('touch', name, async () => {
      const fd = await orNull(this.#calls.open(join(this.path, name), constants.O_RDWR | AS_IT_IS));
      if (fd === null) return false;
      try {
        const bytes = Buffer.from(contents);
        if ((await contentsOf(this.#calls, fd, bytes.length + 1)) !== contents) return false;
        await this.#calls.write(fd, bytes, bytes.length - 1, 1, bytes.length - 1);
        return true;
      } finally {
        await this.#calls.close(fd);
      }
    });
  }

  /**
   * What the file server's clock says, in ms since 1970, or a little less: the stamp of a file made for that. Who may not
   * make one gets the folder's own stamp, which is earlier: then whoever is waited for, is waited for longer.
   */
  serverTime(): Promise<number> {
    return this.#doing('make a file in', '', async () => {
      const temporary = this.#temporary();
      try {
        const fd = await this.#calls.open(temporary, 'wx', MODE);
        try {
          return (await this.#calls.fstat(fd)).mtimeMs;
        } finally {
          await this.#calls.close(fd);
          await orNull(this.#calls.unlink(temporary));
        }
      } catch (error) {
        if (!UNABLE.has(systemCode(error) ?? '')) throw error;
        return (await stat(this.path)).mtimeMs;
      }
    });
  }

  /** Puts a file in the place of the one that stands there. */
  async replace(name: string, contents: string): Promise<void> {
    await this.#viaTemporary('replace', name, contents, this.#calls.rename);
  }

  /** Makes `name` a symbolic link with this text, in the place of whatever link stood there. */
  placeLink(name: string, target: string): Promise<void> {
    return this.#doing('place', name, async () => {
      const temporary = this.#temporary();
      await this.#calls.symlink(target, temporary);
      try {
        await this.#calls.rename(temporary, join(this.path, name));
      } catch (error) {
        await orNull(this.#calls.unlink(temporary));
        throw error;
      }
    });
  }

  /** Removes a name; false when there was none. */
  remove(name: string): Promise<boolean> {
    return this.#doing('remove', name, async () => (await orNull(this.#calls.unlink(join(this.path, name)).then(() => true))) ?? false);
  }

  #viaTemporary<T>(doing: string, name: string, contents: string, finish: (temporary: string, final: string) => Promise<T>): Promise<T> {
    return this.#doing(doing, name, async () => {
      const temporary = this.#temporary();
      try {
        const fd = await this.#calls.open(temporary, 'wx', MODE);
        try {
          await writeAll(this.#calls, fd, Buffer.from(contents));
          await this.#calls.fchmod(fd, MODE);
          await this.#calls.fsync(fd);
        } finally {
          await this.#calls.close(fd);
        }
        return await finish(temporary, join(this.path, name));
      } catch (error) {
        await orNull(this.#calls.unlink(temporary));
        throw error;
      }
    });
  }

  #temporary(): string {
    return join(this.path, temporaryName(this.#us, randomBytes(6).toString('hex')));
  }

  async #doing<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await this.#explain(what, name, error);
    }
  }

  async #explain(what: string, name: string, error: unknown): Promise<Error> {
    if (error instanceof Error && isDefect(error)) return error;
    const code = systemCode(error);
    const folder = await this.#calls.lstat(join(this.path, '.')).catch((problem: unknown) => systemCode(problem));
    if (folder === 'ENOENT' || folder === 'ENOTDIR') {
      return new UserError(
        'environment',
        `the folder of next-boot links, ${this.path}, does not exist`,
        'set config_dir in section [pxelinux]',
        { cause: error },
      );
    }
    const path = join(this.path, name);
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return fail(
        'pxe-permission',
        `may not ${what} ${path} (${code})`,
        `you need to write in ${this.path}: ask for its group, or for sudo`,
        { cause: error },
      );
    }
    return fail('pxe-failed', `cannot ${what} ${path}: ${messageOf(error)}`, undefined, { cause: error });
  }
}

/** Why a file cannot be made, though the folder is there. */
const UNABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT']);

/** A link, or a socket, instead of a file. */
function unlessOther(error: unknown): 'other' {
  if (systemCode(error) === 'ELOOP' || systemCode(error) === 'ENXIO') return 'other';
  throw error;
}

function emptyFile(stats: { mtimeMs: number; uid: number } | null): FoundFile | null {
  return stats && { contents: '', touchedAt: stats.mtimeMs, uid: stats.uid };
}

/** What an open file holds, of its first `size` bytes and of what a record may have. */
async function contentsOf(calls: FileCalls, fd: number, size: number): Promise<string> {
  const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 1), MAX_RECORD_BYTES)); // a folder is no empty file: reading it tells
  let length = 0;
  while (length < buffer.length) {
    const bytesRead = await calls.read(fd, buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.toString('utf8', 0, length);
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
