import { planRanges } from '../ndz/allocation/plan.js';
import type { PartitionInfo } from '../ndz/allocation/plan-types.js';
import { readExtFile } from '../ndz/ext-file.js';
import { openImageSource } from '../ndz/image-reader.js';
import type { ImageSource } from '../ndz/source.js';

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
export async function readStamp(source: ImageSource, partitions: readonly PartitionInfo[]): Promise<string | null> {
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

/** The last line of an image's own stamp, or null when it has none that can be had cheaply. Throws as `openImageSource` and `planRanges` do. */
export async function stampOfImage(path: string, signal?: AbortSignal): Promise<string | null> {
  const { source } = await openImageSource(path, signal);
  try {
    const { partitions } = await planRanges(source, signal ? { signal } : {});
    return await readStamp(source, partitions);
  } finally {
    await source.close();
  }
}

/** The last line of a stamp that says something, without control characters; null without one. */
export function lastLine(text: string): string | null {
  const line = text.split('\n').filter((each) => each.trim() !== '').at(-1);
  return line === undefined ? null : line.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ').trim();
}

/** Reads `2026-11-21@08:20 - node fit38 - image fedora-21 - by alice[ - comment]`; null when it is something else. */
export function parseStamp(line: string): ImageStamp | null {
  const found = /^(\d{4}-\d\d-\d\d@\d\d[:-]\d\d) - node (\S+) - image (.+?) - by (.+?)(?: - (.*))?$/.exec(line);
  if (!found) return null;
  const [, savedAt = '', node = '', image = '', by = '', comment] = found;
  return { savedAt, node, image, by, comment: comment ?? null };
}
