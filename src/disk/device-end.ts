import { readDiskUse } from './in-use.js';
import { DISK_END_BYTES } from './sector.js';
import { diskWriteFailure, type OpenTarget } from './target.js';

/**
 * Clears the last MiB of a block device as far as it lies behind an image of a disk of `diskBytes` (null: of unknown size;
 * then nothing is done): what an older system left there is found by the new one otherwise. Throws Failure `disk-write-failed`.
 */
export async function clearDeviceEnd({ handle, kind, path, capacityBytes }: OpenTarget, diskBytes: number | null): Promise<void> {
  if (kind !== 'block' || diskBytes === null) return;
  const zeros = new Uint8Array(DISK_END_BYTES);
  for (let at = Math.max(diskBytes, capacityBytes - DISK_END_BYTES); at < capacityBytes; ) {
    try {
      at += (await handle.write(zeros, 0, Math.min(DISK_END_BYTES, capacityBytes - at), at)).bytesWritten;
    } catch (error) {
      throw diskWriteFailure(path, at, error);
    }
  }
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
