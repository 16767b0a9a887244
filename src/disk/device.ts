import { readFile, type FileHandle } from 'node:fs/promises';
import { SECTOR_BYTES } from './sector.js';

export type TargetKind = 'file' | 'block' | 'character';

/** What an open path is: a regular file, a block device, or another device (/dev/null, …). */
export async function kindOf(handle: FileHandle): Promise<TargetKind> {
  const stat = await handle.stat();
  return stat.isFile() ? 'file' : stat.isBlockDevice() ? 'block' : 'character';
}

/** Bytes on an open block device. Linux says so in /sys; elsewhere, or without /sys, the end is found by reading. */
export async function blockDeviceBytes(handle: FileHandle): Promise<number> {
  const { rdev } = await handle.stat();
  // dev_t as glibc lays it out: 12 bits of major at 8, 20 bits of minor around it
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 1_048_576) * 256;
  try {
    // the kernel counts in 512-byte units here whatever the device's own sectors are
    const sectors = Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'latin1'));
    if (Number.isSafeInteger(sectors) && sectors > 0) return sectors * SECTOR_BYTES;
  } catch {
    // no /sys, as in small ramdisks
  }
  return probeEnd(handle);
}

/** The first offset nothing can be read at, in about 80 one-byte reads. */
async function probeEnd(handle: FileHandle): Promise<number> {
  const byte = new Uint8Array(1);
  const readable = async (offset: number): Promise<boolean> => (await handle.read(byte, 0, 1, offset)).bytesRead === 1;
  let low = 0;
  let high = SECTOR_BYTES;
  while (high < Number.MAX_SAFE_INTEGER / 2 && (await readable(high - 1))) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await readable(middle - 1)) low = middle;
    else high = middle;
  }
  return low;
}
