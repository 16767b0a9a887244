import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { systemCode } from './errors.js';

/** A file as found: `uid` and `mtimeMs` are the open file's own, not what a name or a text says. */
export type OwnedText = { text: string; uid: number; mtimeMs: number /** See `isBelieved`. */; believed: boolean };

type Stats = { uid: number; mode: number; nlink: number };

/** The largest record that we write; more is none of ours. */
const MAX_BYTES = 16 << 20;

/**
 * Whether what an open file says may be acted upon by the user `uid`: only that user or root can have written it, and it
 * stands under the one name that they gave it.
 */
export function isBelieved({ uid: owner, mode, nlink }: Stats, uid: number): boolean {
  return (owner === uid || owner === 0) && (mode & 0o022) === 0 && nlink === 1;
}

/** Opens a regular file for reading; a link in its last place is not followed, a pipe not waited for. Throws the system's error, or one that says that it is no regular file. */
export function openRegular(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new Error(`${path} is not a regular file`);
}

/**
 * The text of a regular file, opened as `openRegular` does, with whose it is. Null when there is no such file, or it is not
 * ours to read, a link, no regular file, or larger than `maxBytes`. Throws the system's error for all else.
 */
export function readOwned(path: string, uid: number, maxBytes = MAX_BYTES): OwnedText | null {
  let fd: number;
  try {
    fd = openRegular(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || NOT_THERE.has(code)) return null;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (stats.size > maxBytes) return null;
    return { text: readFileSync(fd, 'utf8'), uid: stats.uid, mtimeMs: stats.mtimeMs, believed: isBelieved(stats, uid) };
  } finally {
    closeSync(fd);
  }
}

const NOT_THERE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO']);

let names: Map<number, string> | null = null;

/** The login of a user, as /etc/passwd has it; `uid 1234` for one who is not there. */
export function loginOf(uid: number, passwdFile = '/etc/passwd'): string {
  if (names === null || passwdFile !== '/etc/passwd') {
    const found = readLogins(passwdFile);
    if (passwdFile !== '/etc/passwd') return found.get(uid) ?? `uid ${uid}`;
    names = found;
  }
  return names.get(uid) ?? `uid ${uid}`;
}

function readLogins(passwdFile: string): Map<number, string> {
  try {
    const rows = readFileSync(passwdFile, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    return new Map(
      rows
        .filter((row) => row.length > 3)
        .reverse()
        .map((row) => [Number(row[2]), row[0]!]),
    );
  } catch {
    return new Map();
  }
}
