import { constants, read } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type DirectMemory, directIo } from '../native/direct-io.js';

/** A block device that is open a second time, to be read and written past the page cache. */
export type DirectDevice = {
  fd: number;
  /** Only whole units at multiples of it are taken, from memory at multiples of it. */
  unitBytes: number;
};

/** What disks have as logical sectors. */
const UNITS = [512, 4096];
const readAt = promisify(read);

/**
 * Opens a block device once more, past the page cache, for writing too when `writes`; null where its driver, the system or
 * the configuration will not have it. Close the handle.
 */
export async function openDirect(device: FileHandle, writes: boolean): Promise<(DirectDevice & { handle: FileHandle }) | null> {
  const newMemory = await directIo.get();
  if (!newMemory) return null;
  let handle: FileHandle | null = null;
  try {
    // by its descriptor: what the path leads to may have changed
    handle = await open(`/proc/self/fd/${device.fd}`, constants.O_DIRECT | (writes ? constants.O_RDWR : constants.O_RDONLY));
    const unitBytes = await findUnit(handle.fd, newMemory);
    if (unitBytes !== null) return { fd: handle.fd, unitBytes, handle };
  } catch {
    // no /proc, or a device that has no such way
  }
  await handle?.close();
  return null;
}

/** The least that a device gives: it is asked, whatever it says of itself. Null when it cannot be read so at all. */
async function findUnit(fd: number, newMemory: DirectMemory): Promise<number | null> {
  const bytes = newMemory(Math.max(...UNITS));
  for (const unit of UNITS) {
    const seen = await readAt(fd, bytes, 0, unit, unit).catch(() => null);
    if (seen?.bytesRead === unit) return unit;
  }
  return null;
}
