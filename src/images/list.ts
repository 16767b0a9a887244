import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';

export const IMAGE_SUFFIX = '.ndz';

export type ListedImage = {
  /** File name without .ndz. */
  name: string;
  path: string;
  /** Of the file; 0 for a broken link. */
  sizeBytes: number;
  /** Of the file, or of the broken link itself. */
  mtimeMs: number;
  /** Names, without .ndz, of the symbolic links in the same folder that lead to it. */
  aliases: string[];
  /** Where a link leads that leads nowhere; null for every image that is there. */
  brokenLinkTo: string | null;
};

type Entry = ListedImage & { realPath: string; isLink: boolean };

/**
 * The images (*.ndz) of a folder, sorted by name. A link to another image of the folder is that image's alias; a link to a
 * file elsewhere is an image of its own, and so is a broken one. Hidden files, among them unfinished images, are left out.
 * Throws UserError 'environment' when the folder cannot be read.
 */
export async function listImages(dir: string): Promise<ListedImage[]> {
  const names = await imageFileNames(dir);
  const entries = await Promise.all(names.map((name) => readEntry(join(resolve(dir), name))));
  return groupAliases(entries.filter((entry) => entry !== null));
}

/** The name an image goes by: its file's, without .ndz. */
export function imageName(path: string): string {
  return basename(path, IMAGE_SUFFIX);
}

async function imageFileNames(dir: string): Promise<string[]> {
  try {
    const names = await readdir(dir);
    return names.filter((name) => name.endsWith(IMAGE_SUFFIX) && !name.startsWith('.')).sort(compareNames);
  } catch (error) {
    throw new UserError('environment', `images folder ${dir}: ${messageOf(error)}`, 'set images_dir in the [frisbee] section of imaging.conf', { cause: error });
  }
}

/** One directory entry, or null when it is no file, or no longer there. */
async function readEntry(path: string): Promise<Entry | null> {
  const name = imageName(path);
  const target = await readlink(path).catch(() => null); // EINVAL: not a link
  try {
    const found = await stat(path);
    if (!found.isFile()) return null;
    const { size: sizeBytes, mtimeMs } = found;
    return { name, path, sizeBytes, mtimeMs, aliases: [], brokenLinkTo: null, realPath: await realpath(path), isLink: target !== null };
  } catch (error) {
    const self = await lstat(path).catch(() => null); // gone since the folder was read
    if (self === null) return null;
    if (target === null) throw new UserError('environment', `image ${path}: ${messageOf(error)}`, undefined, { cause: error });
    return { name, path, sizeBytes: 0, mtimeMs: self.mtimeMs, aliases: [], brokenLinkTo: target, realPath: path, isLink: true };
  }
}

function groupAliases(entries: readonly Entry[]): ListedImage[] {
  const files = new Map(entries.filter((entry) => !entry.isLink).map((entry) => [entry.realPath, entry]));
  const images: Entry[] = [...files.values()];
  for (const entry of entries) {
    if (!entry.isLink) continue;
    const file = files.get(entry.realPath);
    if (file) file.aliases.push(entry.name);
    else images.push(entry);
  }
  return images
    .sort((a, b) => compareNames(a.name, b.name))
    .map(({ name, path, sizeBytes, mtimeMs, aliases, brokenLinkTo }) => ({ name, path, sizeBytes, mtimeMs, aliases, brokenLinkTo }));
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
