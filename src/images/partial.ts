import { lstat, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { finishedName, unfinishedIn, unfinishedName, UNFINISHED_KEEPS_BYTES } from '../util/whole-file.js';

const SIDE = /^(.+)\.(?:sha256|json)$/;

/** The longest name an image that is saved may have, in bytes: its side files, too, are written under hidden names first. */
export const MAX_IMAGE_NAME_BYTES = UNFINISHED_KEEPS_BYTES - '.sha256'.length;

/** What an image is called until it is whole and checked; hidden, and names the process that makes it. */
export function partialPath(path: string): string {
  return join(dirname(path), unfinishedName(basename(path)));
}

/**
 * Removes what killed processes left half-made in a folder, and returns the paths; `dryRun`: only those. What may not be
 * removed stays.
 */
export async function sweepUnfinished(dir: string, nowMs: number, { dryRun = false }: { dryRun?: boolean } = {}): Promise<string[]> {
  const removed: string[] = [];
  for (const unfinished of unfinishedIn(dir, nowMs)) {
    for (const path of [...(await placedAlone(unfinished)), unfinished]) {
      if (dryRun) removed.push(path);
      else
        await rm(path, { force: true }).then(
          () => removed.push(path),
          () => undefined,
        ); // somebody else's, perhaps: not our business
    }
  }
  return removed;
}

/** The side file that a killed process had given its name already, while the image that it is of has none: the same file by two names. */
async function placedAlone(unfinished: string): Promise<string[]> {
  const [side, image] = SIDE.exec(finishedName(basename(unfinished)) ?? '') ?? [];
  if (side === undefined || image === undefined) return [];
  const at = (name: string): string => join(dirname(unfinished), name);
  const [written, placed, whole] = await Promise.all([unfinished, at(side), at(image)].map((path) => lstat(path).catch(() => null)));
  return placed && written && !whole && placed.dev === written.dev && placed.ino === written.ino ? [at(side)] : [];
}
