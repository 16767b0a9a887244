import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { type Failure, messageOf, systemCode } from '../util/errors.js';
import { pathBeside } from '../util/path-beside.js';
import { fail as ndzFail } from '../ndz/failures.js';

/** A small text file that belongs beside an image: its whole path, and what it says. */
export type SideFile = { path: string; text: string };

/** What lies beside an image and is a few lines long; a list of checksums may be longer. */
const MAX_BYTES = 1 << 20;

/** Puts a side file in its place, on disk and at once, whatever is there. `mode`: see `prepareSideFile`. Throws Failure `image-write-failed`. */
export async function writeSideFile(file: SideFile, mode?: number): Promise<void> {
  const fresh = await prepareSideFile(file, mode);
  try {
    await rename(fresh, file.path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw writeFailure(file.path, fresh, error);
  }
}

/**
 * Writes a side file, on disk, under the hidden path that is returned, from where it can be given its name. `mode` is
 * what it gets whatever the umask says. Throws Failure `image-write-failed`; nothing is left then.
 */
export async function prepareSideFile({ path, text }: SideFile, mode?: number): Promise<string> {
  const fresh = await pathBeside(path);
  try {
    const handle = await open(fresh, 'wx', 0o666);
    try {
      if (mode !== undefined) await handle.chmod(mode);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return fresh;
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined); // what went wrong first is what counts
    throw writeFailure(path, fresh, error);
  }
}

/** What writing a side file came to. */
export function writeFailure(path: string, fresh: string, error: unknown): Failure {
  return ndzFail('image-write-failed', `writing ${path}: ${messageOf(error).replaceAll(fresh, path)}`, 'may this user write there?', {
    cause: error,
  });
}

/**
 * What a side file says; null when there is none. Never waits, whatever somebody has put in its place. `follow`: false
 * where the folder is somebody else's: then a link is refused. Throws the system's error, or one that says what it is instead.
 */
export async function readSideText(path: string, { follow = true }: { follow?: boolean } = {}): Promise<string | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | (follow ? 0 : constants.O_NOFOLLOW));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw systemCode(error) === 'ELOOP' ? new Error('it is a link', { cause: error }) : error;
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error('it is no regular file');
    if (stats.size > MAX_BYTES) throw new Error(`it has ${stats.size} bytes, which no such file has`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
