import { open, lstat, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { placeUnlessTaken } from './place.js';
import { prepareSideFile, writeFailure, type SideFile } from './side-file.js';

/** `mode`: what side files get, whatever the umask says. */
export type PlaceOptions = { mode?: number };

/**
 * Gives an image its name, unless that name or one of its side files' is taken, and tells which. The side files come
 * first: who sees the image sees all of it, also when we are killed in between (`sweepUnfinished` then knows them by
 * what they were written as). Nothing is left of them when the image does not get its name.
 * Throws Failure `image-write-failed`.
 */
export async function placeImage(file: string, path: string, besides: readonly SideFile[], { mode }: PlaceOptions = {}): Promise<boolean> {
  if (await lstat(path).catch(() => null)) return false;
  const [fresh, placed]: [string[], string[]] = [[], []];
  let isDone = false;
  try {
    for (const beside of besides) {
      const written = await prepareSideFile(beside, mode);
      fresh.push(written);
      if (!(await named(written, beside.path))) return false;
      placed.push(beside.path);
    }
    isDone = await named(file, path);
    return isDone;
  } finally {
    // only now: until the image has its name, they prove whose the placed ones are
    for (const each of [...(isDone ? [] : placed), ...fresh]) await rm(each, { force: true }).catch(() => undefined);
    await syncFolder(dirname(path));
  }
}

async function named(fresh: string, path: string): Promise<boolean> {
  try {
    return await placeUnlessTaken(fresh, path);
  } catch (error) {
    throw writeFailure(path, fresh, error);
  }
}

/** Best effort: some file systems cannot. */
async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r').catch(() => null);
  try {
    await handle?.sync().catch(() => undefined);
  } finally {
    await handle?.close();
  }
}
