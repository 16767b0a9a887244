import type { FileHandle } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { systemCode } from '../util/errors.js';
import { systemHost, type Host } from '../util/host.js';
import { capability } from './capability.js';
import { systemError } from './system-error.js';

const LOCK = { shared: 1, exclusive: 2 } as const;
const LOCK_NB = 4;
const LOCK_UN = 8;
const EAGAIN = 11;
const RETRY_MS = 50;

export type LockKind = keyof typeof LOCK;

/** Locks of whole files and devices (flock): of everybody who asks for them, such as udev and sfdisk. Throws system errors. */
export type FileLocks = {
  /** Returns false when somebody else has a lock that does not go with it. The lock ends with the last descriptor of that opening. */
  tryLock(fd: number, kind: LockKind): boolean;
  unlock(fd: number): void;
};

export const fileLocks = capability<FileLocks>(
  {
    name: 'file-locks',
    does: 'locks devices and files against other programs (flock)',
    without: 'the program flock (util-linux, busybox) is run for each lock; where there is none, nothing is locked',
  },
  (library) => {
    const flock = library.func('int flock(int, int)');
    const call = (fd: number, operation: number): boolean => {
      if (flock(fd, operation) === 0) return true;
      const errno = library.errno();
      if (errno === EAGAIN) return false;
      throw systemError(errno, 'flock');
    };
    return {
      tryLock: (fd, kind) => call(fd, LOCK[kind] | LOCK_NB),
      unlock: (fd) => void call(fd, LOCK_UN),
    };
  },
);

/**
 * Locks an open file or device, as long as it stays open or until `unlockFile`; returns false when somebody else has it.
 * Throws system errors: ENOENT where only the program flock could do it and there is none.
 */
export async function lockFile(handle: FileHandle, kind: LockKind, host: Pick<Host, 'spawn'> = systemHost): Promise<boolean> {
  const locks = await fileLocks.get();
  return locks ? locks.tryLock(handle.fd, kind) : runFlock(handle, ['-n', kind === 'shared' ? '-s' : '-x'], host);
}

/** Waits for the lock, looking again every 50 ms. Rejects with the signal's reason. */
export async function waitForLock(handle: FileHandle, kind: LockKind, signal: AbortSignal): Promise<void> {
  while (!(await lockFile(handle, kind))) await wait(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
}

export async function unlockFile(handle: FileHandle, host: Pick<Host, 'spawn'> = systemHost): Promise<void> {
  const locks = await fileLocks.get();
  if (locks) locks.unlock(handle.fd);
  else await runFlock(handle, ['-u'], host);
}

/** A lock belongs to the opening of a file, not to a process: one that a child takes on our descriptor is ours. */
function runFlock(handle: FileHandle, words: readonly string[], host: Pick<Host, 'spawn'>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = host.spawn('flock', [...words, '3'], { stdio: ['ignore', 'ignore', 'pipe', handle.fd] });
    let said = '';
    child.stderr?.on('data', (data: Buffer) => (said += data.toString('latin1')));
    child.once('error', (error) => {
      const what = systemCode(error) === 'ENOENT' ? 'there is no program flock (util-linux)' : error.message;
      reject(Object.assign(new Error(`cannot lock: ${what}`, { cause: error }), { code: systemCode(error) }));
    });
    child.once('close', (status) => {
      if (status === 0 || (status === 1 && said === '')) resolve(status === 0);
      else reject(new Error(`cannot lock: flock exited with ${status}: ${said.trim()}`));
    });
  });
}
