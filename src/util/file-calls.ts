import * as fs from 'node:fs';
import { promisify } from 'node:util';

/** The system's calls for small files; all reject with the system's error. Descriptors are plain numbers: who opens one closes it. */
export type FileCalls = {
  lstat(path: string): Promise<fs.Stats>;
  readlink(path: string): Promise<string>;
  link(existing: string, path: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  open(path: string, flags: string | number, mode?: number): Promise<number>;
  fstat(fd: number): Promise<fs.Stats>;
  /** Bytes read; 0 at the end of the file. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** Bytes written, perhaps not all of them. `position` null: where the descriptor stands. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number | null): Promise<number>;
  fchmod(fd: number, mode: number): Promise<void>;
  /** Waits for the medium, always off the event loop. */
  fsync(fd: number): Promise<void>;
  close(fd: number): Promise<void>;
};

const fsync = promisify(fs.fsync);
const read = promisify(fs.read);
const write = promisify(fs.write);

/** In the thread pool: a file server may take as long as it likes. A call costs several times what the system's part of it does. */
export const callsLater: FileCalls = {
  lstat: fs.promises.lstat,
  readlink: fs.promises.readlink,
  link: fs.promises.link,
  symlink: fs.promises.symlink,
  rename: fs.promises.rename,
  unlink: fs.promises.unlink,
  open: promisify(fs.open),
  fstat: promisify(fs.fstat),
  read: async (fd, buffer, offset, length, position) => (await read(fd, buffer, offset, length, position)).bytesRead,
  write: async (fd, bytes, offset, length, position) => (await write(fd, bytes, offset, length, position)).bytesWritten,
  fchmod: promisify(fs.fchmod),
  fsync,
  close: promisify(fs.close),
};

/** At once: what the kernel has in memory anyway takes microseconds. */
export const callsAtOnce: FileCalls = {
  lstat: async (path) => fs.lstatSync(path),
  readlink: async (path) => fs.readlinkSync(path),
  link: async (existing, path) => fs.linkSync(existing, path),
  symlink: async (target, path) => fs.symlinkSync(target, path),
  rename: async (from, to) => fs.renameSync(from, to),
  unlink: async (path) => fs.unlinkSync(path),
  open: async (path, flags, mode) => fs.openSync(path, flags, mode),
  fstat: async (fd) => fs.fstatSync(fd),
  read: async (fd, buffer, offset, length, position) => fs.readSync(fd, buffer, offset, length, position),
  write: async (fd, bytes, offset, length, position) => fs.writeSync(fd, bytes, offset, length, position),
  fchmod: async (fd, mode) => fs.fchmodSync(fd, mode),
  fsync,
  close: async (fd) => fs.closeSync(fd),
};

/** Linux' numbers (statfs(2)) of file systems on a disk or in the memory of this machine: none of them waits for another machine. */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x5846_5342, // xfs
  0x9123_683e, // btrfs
  0xf2f5_2010, // f2fs
  0x2fc1_2fc1, // zfs
  0x0102_1994, // tmpfs
  0x794c_7630, // overlayfs
]);

/** The calls that suit the file system which `path` lies on: nothing that this process does may wait for another machine. */
export function fileCalls(path: string): FileCalls {
  return isLocal(path) ? callsAtOnce : callsLater;
}

function isLocal(path: string): boolean {
  if (process.platform !== 'linux') return false; // other systems have other numbers
  try {
    return LOCAL.has(fs.statfsSync(path).type);
  } catch {
    return false;
  }
}

/** Writes all bytes where the descriptor stands. Rejects with the system's error. */
export async function writeAll(calls: FileCalls, fd: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) done += await calls.write(fd, bytes, done, bytes.byteLength - done, null);
}
