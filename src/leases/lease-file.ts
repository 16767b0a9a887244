import { chmodSync, closeSync, linkSync, lstatSync, openSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'libsql';
import { sleep } from '../util/abort.js';
import { messageOf, systemCode, UserError } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import type { Host } from '../util/host.js';
import { unfinishedIn, unfinishedName } from '../util/whole-file.js';
import { fail } from './failures.js';

export type Db = InstanceType<typeof Database>;

export type LeaseFileOptions = {
  path: string /** How long to wait for other processes. */;
  timeoutMs: number;
  host: Pick<Host, 'monotonicMs' | 'random'>;
};

/** While another process writes, we are stopped this long at most; then the event loop has its turn. */
const BUSY_MS = 20;
const PAUSE_MS = 20;
const VERSION = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS lease (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL CHECK (until_ms >= from_ms),
    nodes TEXT, -- JSON array of host names; NULL is the whole testbed
    booked_by TEXT NOT NULL,
    booked_ms INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS lease_until ON lease (until_ms);
  PRAGMA user_version = ${VERSION};`;

/** Reads the file; `empty` when there is none yet. Errors as in `writeLeases`. */
export async function readLeases<T>(options: LeaseFileOptions, signal: AbortSignal, empty: T, work: (db: Db) => T): Promise<T> {
  if (!exists(options.path)) return empty;
  return patiently(options, signal, () => withDb(options.path, (db) => db.transaction(() => whole(db, options.path, work)).deferred()));
}

/**
 * Changes the file (made when it is missing) in one transaction that no other process can come between. The journal
 * beside it is gone afterwards; when a process dies half-way, the next one takes its change back.
 *
 * @throws UserError when the file is no file of leases, or may not be written; Failure `lease-file-busy` after the time
 */
export async function writeLeases<T>(options: LeaseFileOptions, signal: AbortSignal, work: (db: Db) => T): Promise<T> {
  create(options.path);
  return patiently(options, signal, () => withDb(options.path, (db) => db.transaction(() => whole(db, options.path, work)).immediate()));
}

/** Does the work if the file has all that it should have: one that lost its end would have us believe that nobody has a lease. */
function whole<T>(db: Db, path: string, work: (db: Db) => T): T {
  if (version(db, path) === 0 || !isWhole(db, path)) throw damaged(path);
  return work(db);
}

/** What the file says that it holds, against its size. It must not be opened by other means: closing it would take back the locks of the database. */
function isWhole(db: Db, path: string): boolean {
  return statSync(path).size >= Number(pragma(db, 'page_size')) * Number(pragma(db, 'page_count')) && pragma(db, 'quick_check') === 'ok';
}

function pragma(db: Db, name: string): unknown {
  const row: unknown = db.prepare(`PRAGMA ${name}`).get();
  return typeof row === 'object' && row !== null ? Object.entries(row).find(([key]) => key === name)?.[1] : undefined;
}

function damaged(path: string, cause?: unknown): UserError {
  const why = cause === undefined ? 'a part of it is missing' : messageOf(cause);
  return new UserError(
    'environment',
    `${path} is no file of leases, or damaged (${why})`,
    'put it back from a backup, or move it away and book again; or set file in section [leases]',
    { cause },
  );
}

/** Does it again while other processes have the file, up to the deadline. */
async function patiently<T>({ path, timeoutMs, host }: LeaseFileOptions, signal: AbortSignal, work: () => T): Promise<T> {
  const endMs = host.monotonicMs() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error instanceof UserError ? error : fileError(path, error);
      if (host.monotonicMs() > endMs)
        throw fail('lease-file-busy', `${path} was in use by others for ${timeoutMs / 1000} s`, 'try again', { cause: error });
    }
    await sleep(PAUSE_MS * (0.5 + host.random()), signal);
  }
}

function withDb<T>(path: string, work: (db: Db) => T): T {
  const db = new Database(path, { timeout: BUSY_MS });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function version(db: Db, path: string): number {
  const found = Number(pragma(db, 'user_version') ?? 0);
  if (found > VERSION)
    throw new UserError(
      'environment',
      `${path} was written by a later version of imaging (${found}, this one knows ${VERSION})`,
      'update imaging here',
    );
  return found;
}

function exists(path: string): boolean {
  try {
    if (lstatSync(path).isFile()) return true; // through a link, somebody else would choose the file
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw fileError(path, error);
  }
  throw new UserError('environment', `${path} is not a regular file`, 'set file in section [leases]');
}

/** Makes the file, at once with its tables; who may write its folder may write it, so a folder of a group is a file of that group. */
function create(path: string): void {
  if (exists(path)) return;
  const fresh = join(dirname(path), unfinishedName(basename(path)));
  try {
    ensureFolder(dirname(path), 0o755);
    for (const left of unfinishedIn(dirname(path), Date.now(), basename(path))) rmSync(left, { force: true });
    closeSync(openSync(fresh, 'wx', 0o600));
    withDb(fresh, (db) => db.transaction(() => void db.exec(SCHEMA)).immediate());
    chmodSync(fresh, (statSync(dirname(path)).mode & 0o666) | 0o600);
    linkSync(fresh, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw fileError(path, error); // else somebody was faster
  } finally {
    rmSync(fresh, { force: true });
  }
}

function isBusy(error: unknown): boolean {
  const code = systemCode(error) ?? '';
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED') || /database is locked/.test(messageOf(error));
}

function fileError(path: string, cause: unknown): Error {
  if (cause instanceof TypeError || cause instanceof ReferenceError) return cause;
  const code = systemCode(cause) ?? '';
  const folder = dirname(path);
  if (
    ['EACCES', 'EPERM', 'EROFS'].includes(code) ||
    /^SQLITE_(READONLY|PERM|CANTOPEN)/.test(code) ||
    /Unable to open/.test(messageOf(cause))
  ) {
    return new UserError(
      'refused',
      `you may not use the file of leases ${path}`,
      `booking needs write access to it and to its folder ${folder}: see docs/leases.md`,
      { cause },
    );
  }
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) return damaged(path, cause);
  return fail('lease-file-failed', `${path}: ${messageOf(cause)}`, undefined, { cause });
}
