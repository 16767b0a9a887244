import { readExtFile } from '../disk/ext-file.js';
import type { PartitionInfo } from '../disk/plan/plan-types.js';
import { SECTOR_BYTES } from '../disk/sector.js';
import type { ImageSource } from '../disk/source.js';
import { partitionsOf } from '../disk/slice.js';
import { openImageSource } from '../ndz/read/image-source.js';
import { localMinute } from './saved.js';

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
  const partitions = await partitionsOf(source, signal);
  return (partitions ?? [whole]).map((each) => ({
    ...whole,
    startSector: each.startSector,
    sectorCount: Math.min(each.sectorCount, sectorCount - each.startSector),
  }));
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

/** What a saved image says of itself. */
export type Stamp = {
  savedAtMs: number;
  /** Where it was saved. */
  node: string;
  /** Its radical. */
  image: string;
  /** The login of who saved it. */
  by: string;
  /** The stamp line of the image that the node ran: what this one was made from; null when it had none. */
  base: string | null;
  comment: string | null;
};

/** What a disk says is not ours to trust. */
const MAX_BASE_CHARS = 200;

const LINE = /^\d{4}-\d\d-\d\d@\d\d:\d\d - node .+ - image .+/u;

/**
 * The line for etc/imaging-image: `2026-11-21@01:16 - node fit07 - image my-setup - by ann - from demo - COMMENT`. Up to the
 * login it is what earlier tools write and scripts read; `from` names the image of the line before, COMMENT comes last.
 */
export function stampLine({ savedAtMs, node, image, by, base, comment }: Stamp): string {
  const from = base === null ? [] : [`from ${(imageOfLine(base) ?? '?').slice(0, MAX_BASE_CHARS)}`];
  return [localMinute(savedAtMs), `node ${node}`, `image ${image}`, `by ${by}`, ...from, ...(comment === null ? [] : [comment])].join(
    ' - ',
  );
}

/** Whether a line reads like a stamp, and not like whatever else a terminal shows. */
export function isStampLine(line: string): boolean {
  return LINE.test(line);
}

/** The image that a stamp line names. */
export function imageOfLine(line: string): string | null {
  return /^\S+ - node .+? - image (.+?) - by /u.exec(line)?.[1] ?? /^\S+ - node .+? - image (.+)$/u.exec(line)?.[1] ?? null;
}

/** What no name and no comment may hold, as it would end the line or drive the terminal: control characters, line separators, bytes that are not UTF-8. */
export function holdsControls(text: string): boolean {
  return /[\p{Cc}\p{Zl}\p{Zp}\ufffd]/u.test(text);
}
