import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';
import { imageName, isImageFile, parseSavedName, radicalOf } from './saved-name.js';

export type ListedImage = {
  /** File name without .ndz; whole for other formats. */
  name: string;
  /** What it is called whoever saved it when; the name itself for an image that is not `saving__…`. */
  radical: string;
  /** The node it was saved from, by its name; null for an image that is not `saving__…`. */
  node: string | null;
  path: string;
  /** Of the file; 0 for a broken link. */
  sizeBytes: number;
  /** Of the file, or of the broken link itself. */
  mtimeMs: number;
  /** Other names of the same file in the same folder: symbolic and hard links. */
  aliases: string[];
  /** Where a link leads that leads nowhere; null for every image that is there. */
  brokenLinkTo: string | null;
};

type Entry = ListedImage & { /** Which file it is, by device and inode. */ file: string; isLink: boolean };

/**
 * The images of a folder (*.ndz, and the other formats by their names' endings), sorted by name. Names of one and the same
 * file are one image with aliases; a link to a file elsewhere is an image of its own, and so is a broken one. Hidden
 * files, among them unfinished images, are left out. Throws UserError 'environment' when the folder cannot be read.
 */
export async function listImages(dir: string): Promise<ListedImage[]> {
  const names = await imageFileNames(dir);
  const entries = await Promise.all(names.map((name) => readEntry(join(resolve(dir), name))));
  return groupAliases(entries.filter((entry) => entry !== null));
}

async function imageFileNames(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter(isImageFile).sort(compareNames);
  } catch (error) {
    throw new UserError(
      'environment',
      `images folder ${dir}: ${messageOf(error)}`,
      'set images_dir in the [frisbee] section of imaging.conf',
      { cause: error },
    );
  }
}

/** One directory entry, or null when it is no file, or no longer there. */
async function readEntry(path: string): Promise<Entry | null> {
  const name = imageName(path);
  const common = { name, radical: radicalOf(name), node: parseSavedName(name)?.node ?? null, path, aliases: [] };
  const target = await readlink(path).catch(() => null); // EINVAL: not a link
  try {
    const found = await stat(path);
    if (!found.isFile()) return null;
    const { size: sizeBytes, mtimeMs, dev, ino } = found;
    return { ...common, sizeBytes, mtimeMs, brokenLinkTo: null, file: `${dev}:${ino}`, isLink: target !== null };
  } catch (error) {
    const self = await lstat(path).catch(() => null); // gone since the folder was read
    if (self === null) return null;
    if (target === null) throw new UserError('environment', `image ${path}: ${messageOf(error)}`, undefined, { cause: error });
    return { ...common, sizeBytes: 0, mtimeMs: self.mtimeMs, brokenLinkTo: target, file: path, isLink: true };
  }
}

function groupAliases(entries: readonly Entry[]): ListedImage[] {
  const images = new Map<string, Entry>();
  // the file itself names an image, not a link to it; a hard link that somebody named, not the saved one
  const byStanding = [...entries].sort(
    (a, b) => Number(a.isLink) - Number(b.isLink) || Number(a.node !== null) - Number(b.node !== null) || compareNames(a.name, b.name),
  );
  for (const entry of byStanding) {
    const image = images.get(entry.file);
    if (image) image.aliases.push(entry.name);
    else images.set(entry.file, entry);
  }
  return [...images.values()]
    .sort((a, b) => compareNames(a.name, b.name))
    .map(({ name, radical, node, path, sizeBytes, mtimeMs, aliases, brokenLinkTo }) => ({
      name,
      radical,
      node,
      path,
      sizeBytes,
      mtimeMs,
      aliases: aliases.sort(compareNames),
      brokenLinkTo,
    }));
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
