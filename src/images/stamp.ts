import { readPartitionTable } from '../disk/tables/partition-table.js';
import type { PartitionInfo } from '../disk/plan/plan-types.js';
import { contradiction, Volume } from '../disk/volume.js';
import { readExtFile } from '../disk/ext-file.js';
import { openImageSource } from '../ndz/read/image-source.js';
import { SECTOR_BYTES } from '../disk/sector.js';
import type { ImageSource } from '../disk/source.js';

/** Where images say where they come from: ours, and that of an older tool that did the same. */
export const STAMP_FILES: readonly string[] = ['etc/imaging-image', 'etc/rhubarbe-image'];
const MAX_STAMP_BYTES = 64 * 1024;

/** What a stamp's line says. */
export type ImageStamp = {
  /** When it was saved, as written: `2026-11-21@08:20`, local time of the gateway. */
  savedAt: string;
  /** The node whose disk it was. */
  node: string;
  image: string;
  by: string;
  comment: string | null;
};

/** The last line of the stamp in the first ext2, ext3 or ext4 file system of a disk that has one, without control characters; or null. */
export async function readStamp(
  source: ImageSource,
  partitions: readonly Pick<PartitionInfo, 'fileSystem' | 'startSector' | 'sectorCount'>[],
): Promise<string | null> {
  for (const { fileSystem, startSector, sectorCount } of partitions) {
    if (fileSystem?.startsWith('ext') !== true) continue;
    for (const path of STAMP_FILES) {
      const bytes = await readExtFile(source, startSector, sectorCount, path, MAX_STAMP_BYTES);
      const line = bytes === null ? null : lastLine(Buffer.from(bytes).toString('utf8'));
      if (line !== null) return line;
    }
  }
  return null;
}

/**
 * The last line of an image's own stamp, or null when it has none that can be had cheaply: nothing but the partition table and
 * the way to the file is read. Throws as `openImageSource`, `openChunk` and `inflatePieces` do.
 */
export async function stampOfImage(path: string, signal?: AbortSignal): Promise<string | null> {
  const { source } = await openImageSource(path, signal);
  try {
    return await readStamp(source, await placesOfExt(source, signal));
  } finally {
    await source.close();
  }
}

/** Where an ext file system may be; reading it tells whether there is one. */
async function placesOfExt(
  source: ImageSource,
  signal: AbortSignal | undefined,
): Promise<{ fileSystem: string; startSector: number; sectorCount: number }[]> {
  const sectorCount = Math.floor((source.sizeBytes ?? 0) / SECTOR_BYTES);
  const whole = { fileSystem: 'ext', startSector: 0, sectorCount };
  try {
    const table = await readPartitionTable(new Volume(source, 0, sectorCount, signal), SECTOR_BYTES);
    return (
      table?.partitions.map((each) => ({
        ...whole,
        startSector: each.startSector,
        sectorCount: Math.min(each.sectorCount, sectorCount - each.startSector),
      })) ?? [whole]
    );
  } catch (error) {
    contradiction(error); // a table that makes no sense; what else went wrong is thrown
    return [whole];
  }
}

/** The last line of a stamp that says something, without control characters; null without one. */
export function lastLine(text: string): string | null {
  const line = text
    .split('\n')
    .filter((each) => each.trim() !== '')
    .at(-1);
  return line === undefined ? null : line.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ').trim();
}

/** Reads `2026-11-21@08:20 - node fit38 - image fedora-21 - by alice[ - comment]`; null when it is something else. */
export function parseStamp(line: string): ImageStamp | null {
  const found = /^(\d{4}-\d\d-\d\d@\d\d[:-]\d\d) - node (\S+) - image (.+?) - by (.+?)(?: - (.*))?$/.exec(line);
  if (!found) return null;
  const [, savedAt = '', node = '', image = '', by = '', comment] = found;
  return { savedAt, node, image, by, comment: comment ?? null };
}
