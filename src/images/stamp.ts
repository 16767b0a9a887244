import type { PartitionInfo } from '../ndz/allocation/plan-types.js';
import { readExtFile } from '../ndz/ext-file.js';
import type { ImageSource } from '../ndz/source.js';

/** Where images say where they come from: ours, and that of an older tool that did the same. */
const STAMP_FILES = ['etc/imaging-image', 'etc/rhubarbe-image'];
const MAX_STAMP_BYTES = 64 * 1024;

/** The last line of the stamp in the first ext2, ext3 or ext4 file system of a disk that has one, without control characters; or null. */
export async function readStamp(source: ImageSource, partitions: readonly PartitionInfo[]): Promise<string | null> {
  for (const { fileSystem, startSector, sectorCount } of partitions) {
    if (fileSystem?.startsWith('ext') !== true) continue;
    for (const path of STAMP_FILES) {
      const bytes = await readExtFile(source, startSector, sectorCount, path, MAX_STAMP_BYTES);
      const line = bytes === null ? undefined : Buffer.from(bytes).toString('utf8').split('\n').filter((each) => each.trim() !== '').at(-1);
      if (line !== undefined) return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ').trim();
    }
  }
  return null;
}
