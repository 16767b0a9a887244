import { constants, write, writeSync } from 'node:fs';
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Failure, messageOf, systemCode } from '../util/errors.js';
import { pathBeside } from '../util/path-beside.js';
import { readDiskUse } from './in-use.js';
import { DISK_END_BYTES } from './sector.js';
import { blockDeviceBytes, kindOf, type TargetKind } from './device.js';
import { type DirectDevice, openDirect } from './direct.js';
import { fail } from './failures.js';

export type TargetOptions = {
  /** A regular file appears under its name, or is replaced, only by `commit`. */
  atomic?: boolean;
  /** A block device in use (mounted, swap, part of a RAID) is refused. */
  exclusive?: boolean;
  /** Keep what a regular file holds, which must be there. */
  keep?: boolean;
  /** Create a regular file, but keep what it holds until `empty`. */
  emptyLater?: boolean;
};

/** A regular file, block device or character device that is open for writing. */
export type OpenTarget = {
  path: string;
  fd: number;
  kind: TargetKind;
  /** Bytes on a block device, Infinity otherwise. */
  capacityBytes: number;
  /** A block device's way past the page cache, where it has one. */
  direct: DirectDevice | null;
  /** Empties a regular file; leaves a device as it is. */
  empty(): Promise<void>;
  /** Puts everything on the medium and closes; a regular file first gets `sizeBytes`, unless null. */
  commit(sizeBytes: number | null): Promise<void>;
  /** Closes; what an atomic file would have become is removed. Does nothing after `commit`. */
  discard(): Promise<void>;
};

/**
 * Opens `path` for writing: a regular file is created or emptied, a device is left as it is.
 * Throws Failure `disk-open-failed` naming path and cause, or `disk-busy`.
 */
export async function openTarget(
  path: string,
  { atomic = false, exclusive = false, keep = false, emptyLater = false }: TargetOptions = {},
): Promise<OpenTarget> {
  let handle: FileHandle | undefined;
  let writtenPath = path;
  try {
    const existing = await stat(path).catch(() => undefined); // a path that is not there is created below
    if (existing?.isFIFO() || existing?.isSocket()) throw new Error('it is a pipe or socket; chunks need a file or a disk');
    const isDevice = existing?.isBlockDevice() === true || existing?.isCharacterDevice() === true;
    const finalPath = existing ? await realpath(path) : path;
    if (existing?.isDirectory()) throw Object.assign(new Error('EISDIR: it is a folder'), { code: 'EISDIR' });
    const isBeside = atomic && !isDevice && !keep;
    if (isBeside) writtenPath = await pathBeside(finalPath);
    handle = await open(
      writtenPath,
      flagsOf({ isDevice, isBeside, exclusive: exclusive && existing?.isBlockDevice() === true, keep, emptyLater }),
      0o666,
    );
    const kind = await kindOf(handle);
    const capacityBytes = kind === 'block' ? await blockDeviceBytes(handle) : Infinity;
    const direct = kind === 'block' ? await openDirect(handle, true) : null;
    return opened({ path, handle, kind, capacityBytes, direct, beside: isBeside ? { writtenPath, finalPath } : null });
  } catch (error) {
    await handle?.close();
    if (systemCode(error) === 'EBUSY')
      throw fail(
        'disk-busy',
        `${path} is in use: it, or a partition of it, is mounted, swap, or part of another device`,
        'unmount it first',
        { cause: error },
      );
    throw fail('disk-open-failed', `opening ${path} for writing: ${messageOf(error).replaceAll(writtenPath, path)}`, openHint(error), {
      cause: error,
    });
  }
}

function flagsOf({
  isDevice,
  isBeside,
  exclusive,
  keep,
  emptyLater,
}: {
  isDevice: boolean;
  isBeside: boolean;
  exclusive: boolean;
  keep: boolean;
  emptyLater: boolean;
}): number {
  // on a block device O_EXCL asks the kernel whether anything else uses it, mounted partitions included
  if (isDevice) return constants.O_RDWR | (exclusive ? constants.O_EXCL : 0);
  if (keep) return constants.O_RDWR;
  return constants.O_RDWR | constants.O_CREAT | (isBeside ? constants.O_EXCL : emptyLater ? 0 : constants.O_TRUNC);
}

function opened({
  path,
  handle,
  kind,
  capacityBytes,
  direct,
  beside,
}: Pick<OpenTarget, 'path' | 'kind' | 'capacityBytes'> & {
  handle: FileHandle;
  direct: Awaited<ReturnType<typeof openDirect>>;
  beside: { writtenPath: string; finalPath: string } | null;
}): OpenTarget {
  let isOpen = true;
  let isCommitted = false;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await direct?.handle.close();
    await handle.close();
  };
  return {
    path,
    fd: handle.fd,
    kind,
    capacityBytes,
    direct,
    async empty() {
      try {
        if (kind === 'file') await handle.truncate(0);
      } catch (error) {
        throw diskWriteFailure(path, 0, error);
      }
    },
    async commit(sizeBytes) {
      try {
        if (kind === 'file' && sizeBytes !== null) await handle.truncate(sizeBytes);
        if (kind !== 'character') await handle.sync();
        await close();
        if (beside) await rename(beside.writtenPath, beside.finalPath);
        isCommitted = true;
      } catch (error) {
        throw diskWriteFailure(path, sizeBytes ?? 0, error);
      }
    },
    async discard() {
      await close();
      if (beside && !isCommitted) await rm(beside.writtenPath, { force: true });
    },
  };
}

const writeAt = promisify(write);

/** Puts all of `bytes` at `offset`. Throws Failure `disk-write-failed`. */
export async function writeAll({ fd, path }: Pick<OpenTarget, 'fd' | 'path'>, offset: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    try {
      const { bytesWritten } = await writeAt(fd, bytes, done, bytes.byteLength - done, offset + done);
      if (bytesWritten === 0) throw new Error('nothing was written');
      done += bytesWritten;
    } catch (error) {
      throw diskWriteFailure(path, offset + done, error);
    }
  }
}

/** The same in this thread, which waits for it. */
export function writeAllSync({ fd, path }: Pick<OpenTarget, 'fd' | 'path'>, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; ) {
    try {
      const written = writeSync(fd, bytes, done, bytes.byteLength - done, offset + done);
      if (written === 0) throw new Error('nothing was written');
      done += written;
    } catch (error) {
      throw diskWriteFailure(path, offset + done, error);
    }
  }
}

/**
 * Clears the last MiB of a block device as far as it lies behind an image of a disk of `diskBytes` (null: of unknown size;
 * then nothing is done): what an older system left there is found by the new one otherwise. Throws Failure `disk-write-failed`.
 */
export async function clearDeviceEnd(target: OpenTarget, diskBytes: number | null): Promise<void> {
  if (target.kind !== 'block' || diskBytes === null) return;
  const from = Math.max(diskBytes, target.capacityBytes - DISK_END_BYTES);
  if (from < target.capacityBytes) await writeAll(target, from, new Uint8Array(target.capacityBytes - from));
}

/** A sentence when a block device has not the sectors that the image's partition table counts in (`tableSectorBytes`; null: any). */
export async function sectorNotes({ kind, path }: OpenTarget, tableSectorBytes: number | null): Promise<string[]> {
  if (kind !== 'block' || tableSectorBytes === null) return [];
  const { sectorBytes } = await readDiskUse(path);
  return sectorBytes === tableSectorBytes
    ? []
    : [
        `the image's partition table is for disks with sectors of ${tableSectorBytes} bytes, and ${path} has sectors of ${sectorBytes}: it will not be found`,
      ];
}

/** What writing at byte `offset` of `path` came to. */
export function diskWriteFailure(path: string, offset: number, error: unknown): Failure {
  return fail('disk-write-failed', `writing ${path} at byte ${offset}: ${messageOf(error)}`, writeHint(error), { cause: error });
}

/** `isWhole`: what the image needs is known, and not only what some of its chunks need. */
export function diskTooSmall(path: string, hasBytes: number, neededBytes: number, isWhole = true): Failure {
  return fail(
    'disk-too-small',
    `${path} has ${hasBytes} bytes, the image needs ${isWhole ? '' : 'at least '}${neededBytes}`,
    'the image was made from a larger disk; use a larger disk, or shrink the file system and save it again',
  );
}

function openHint(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'does its folder, or the disk, exist?';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'may this user write there?';
    default:
      return 'is it a disk or a file that can be written?';
  }
}

function writeHint(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOSPC':
      return 'no room: is the disk large enough for the image?';
    case 'EIO':
      return 'the disk reports an error; check its SMART data and its cable, or replace it';
    default:
      return 'check the disk and the kernel log';
  }
}
