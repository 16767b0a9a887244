import { constants } from 'node:fs';
import { access, readlink, realpath, stat, lstat, readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { messageOf, systemCode, UserError } from '../util/errors.js';
import { nearestNames } from '../util/nearest.js';
import { NATIVE_SUFFIXES } from './formats.js';
import { IMAGE_SUFFIX, imageName, isImageFile, parseSavedName, radicalOf } from './saved.js';

const ENDINGS = [IMAGE_SUFFIX, ...NATIVE_SUFFIXES];

/** An image that exists and can be read. */
export type ImageRef = {
  /** The file's name without .ndz: an alias when it was asked for by an alias. */
  name: string;
  /** Absolute, as it was found: a symbolic link stays one. */
  path: string;
  /** The file itself. */
  realPath: string;
  sizeBytes: number;
  mtimeMs: number;
};

export type Places = { imagesDir: string; cwd: string };

/**
 * Finds an image by what a person types. `name` may be
 * - an absolute path: that file;
 * - a relative path (with a slash): that file seen from `cwd`, else from `imagesDir`;
 * - a file name ending in .ndz, or as other images' names do (`NATIVE_SUFFIXES`): that file in `cwd`, else in `imagesDir`;
 * - a bare name: a file in `imagesDir` only, so that what lies around in the current folder is never loaded by accident;
 * - what somebody called an image they saved: of the files `saving__NODE__DATE__NAME.ndz` in `cwd` and `imagesDir`, the newest.
 * At each place the name is tried as it is, then with .ndz added, then with the other endings; folders do not count.
 * What the file holds is not looked at.
 * Throws UserError 'environment' that says where it looked, and names like it.
 */
export async function findImage(name: string, options: Places): Promise<ImageRef> {
  if (name === '')
    throw new UserError('environment', 'no image given', 'name one with -i, or set default_image in the [frisbee] section of imaging.conf');
  const places = placesOf(name, options);
  for (const path of pathsOf(places)) {
    const found = await imageAt(path);
    if (found) return found;
  }
  const [newest] = await savedImages(name, options);
  if (newest) return newest;
  throw await notFound(name, places, options);
}

/**
 * Where an image is looked for: the default image, which nobody has named here and now (`asked` is undefined), not in the
 * current folder, which may be anybody's.
 */
export function placesFor(asked: string | undefined, { imagesDir, cwd }: Places): Places {
  return { imagesDir, cwd: asked === undefined ? resolve(cwd, imagesDir) : cwd };
}

/** Everything that `name` could mean, what `findImage` takes first; a file that cannot be read is left out. */
export async function findCandidates(name: string, options: Places): Promise<ImageRef[]> {
  const exact = await Promise.all(pathsOf(placesOf(name, options)).map((path) => imageAt(path).catch(() => null)));
  return [...exact.filter((image) => image !== null), ...(await savedImages(name, options))];
}

function pathsOf(places: readonly string[]): string[] {
  return places.flatMap((place) => [place, ...ENDINGS.map((ending) => `${place}${ending}`)]);
}

/** The saved images that somebody called `name`, the newest first. */
async function savedImages(name: string, { imagesDir, cwd }: Places): Promise<ImageRef[]> {
  if (name.includes('/')) return [];
  const dirs = [...new Set([resolve(cwd), resolve(cwd, imagesDir)])];
  const lists = await Promise.all(dirs.map((dir) => listImages(dir).catch(() => []))); // a folder that cannot be read has no images
  const saved = lists.flat().filter(({ node, radical }) => node !== null && radical === imageName(name));
  const images = await Promise.all(saved.map(({ path }) => imageAt(path).catch(() => null)));
  return images.filter((image) => image !== null).sort((a, b) => b.mtimeMs - a.mtimeMs || (a.name < b.name ? 1 : -1));
}

function placesOf(name: string, { imagesDir, cwd }: Places): string[] {
  if (isAbsolute(name)) return [name];
  const inStore = resolve(cwd, imagesDir, name);
  const isPath = name.includes('/') || ENDINGS.some((ending) => name.endsWith(ending));
  return [...new Set(isPath ? [resolve(cwd, name), inStore] : [inStore])];
}

async function imageAt(path: string): Promise<ImageRef | null> {
  try {
    const found = await stat(path);
    if (!found.isFile()) return null;
    await access(path, constants.R_OK);
    return { name: imageName(path), path, realPath: await realpath(path), sizeBytes: found.size, mtimeMs: found.mtimeMs };
  } catch (error) {
    const code = systemCode(error);
    const target = code === 'ENOENT' ? await readlink(path).catch(() => null) : null; // null: nothing there at all
    if (target !== null)
      throw new UserError('environment', `image ${path} is a broken link to ${target}`, 'restore the file it leads to, or remove the link');
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UserError('environment', `image ${path} cannot be read: ${messageOf(error)}`, 'may this user read it?', { cause: error });
  }
}

async function notFound(name: string, places: readonly string[], { imagesDir, cwd }: Places): Promise<UserError> {
  const where = places.map((place) => dirname(place));
  const message = `image ${name} not found in ${[...new Set(where)].join(' nor in ')}`;
  const here = name.includes('/')
    ? null
    : await imageAt(resolve(cwd, name + (name.endsWith(IMAGE_SUFFIX) ? '' : IMAGE_SUFFIX))).catch(() => null);
  if (here)
    return new UserError('environment', message, `there is ./${basename(here.path)} in the current folder: to load it say ./${name}`);
  const known = await namesIn([...new Set([...where, resolve(cwd, imagesDir)])]);
  const near = nearestNames(imageName(name), known);
  if (near.length > 0) return new UserError('environment', message, `did you mean ${near.join(', ')}?`);
  return new UserError(
    'environment',
    message,
    known.length > 0 ? 'imaging-list shows the images there are' : `${join(imagesDir, '')} holds no image`,
  );
}

async function namesIn(dirs: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(dirs.map((dir) => listImages(dir).catch(() => []))); // a folder that cannot be read has no names
  const images = lists.flat().filter((image) => image.brokenLinkTo === null);
  return images.flatMap(({ name, radical, aliases }) => [radical, ...(radical === name ? [] : [name]), ...aliases]);
}

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
