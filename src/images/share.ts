import { fail } from './failures.js';
import { access, constants, lstat, readdir, readlink, realpath, rename, rm, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { reasonOf } from '../util/abort.js';
import { Failure, messageOf, systemCode, UserError } from '../util/errors.js';
import { HeldFolder } from '../util/held-folder.js';
import { unfinishedName } from '../util/whole-file.js';
import { moveImage, removeBeside, type Move, type MoveOptions } from './share-move.js';
import { findImage, type Places, listImages, type ListedImage } from './find.js';
import { readProvenance } from './records.js';
import { IMAGE_SUFFIX, imageName, radicalOf } from './saved.js';
import { holdsControls } from './stamp.js';

/** Which file it is; a later one may have the same inode number. */
export type FileIdentity = { dev: number; ino: number; ctimeMs: number };

/** One change that sharing makes; paths are absolute. */
export type ShareStep =
  | Move
  /** `path` becomes a symbolic link to `target`, a name in the same folder. */
  | { type: 'link'; path: string; target: string }
  | { type: 'remove'; path: string /** Which file it was: another one by that name stays. */; file: FileIdentity };

export type ShareOptions = Places & {
  alias: string | null;
  force: boolean /** Remove older images that somebody saved under the same name. */;
  clean: boolean;
};

/**
 * What has to be done so that everybody finds an image under its own name in `imagesDir`, and under the alias. Nothing is
 * touched. `name` is what somebody called the image they saved (the newest wins), or anything `findImage` finds.
 * `older` are images that the same person saved under that name before, `passedOver` those of others that have the name, too.
 * Throws UserErrors: `refused` when something would be overwritten, or may not be written, `usage` for bad names.
 */
export async function planShare(
  name: string,
  given: ShareOptions,
): Promise<{ path: string; steps: ShareStep[]; older: string[]; passedOver: string[] }> {
  const imagesDir = await plainPath(resolve(given.cwd, given.imagesDir));
  const options = { ...given, imagesDir };
  const from = await findShared(name, options);
  const fileName = from.endsWith(IMAGE_SUFFIX) ? `${checkName(radicalOf(imageName(from)), 'the image')}${IMAGE_SUFFIX}` : basename(from);
  const to = join(imagesDir, fileName);
  const steps: ShareStep[] = [];
  if (from !== to) {
    const replaces = await checkTarget(from, to, options.force);
    steps.push({ type: 'move', from, to, replaces });
    for (const path of await linksTo(from, imagesDir)) if (path !== to) steps.push({ type: 'link', path, target: fileName });
  }
  if (options.alias !== null) {
    const path = join(imagesDir, `${checkName(options.alias.replace(/\.ndz$/, ''), '--alias')}${IMAGE_SUFFIX}`);
    if (path === to) throw new UserError('usage', `--alias ${options.alias} is the name of the image itself`);
    if (await checkAlias(path, fileName, options.force)) steps.push({ type: 'link', path, target: fileName });
  }
  const older = (await olderOnes(from, options)).filter((path) => path !== to);
  if (options.clean) for (const path of older) steps.push({ type: 'remove', path, file: await fileAt(path) });
  const passedOver = (await namesakes(radicalOf(imageName(from)), options))
    .map(({ path }) => path)
    .filter((path) => path !== from && path !== to && !older.includes(path));
  return { path: to, steps, older, passedOver };
}

/** Does one step of sharing. A name appears with its whole content or not at all. Throws Failure `share-failed`, those of the check, UserError, or the signal's reason. */
export async function performShare(step: ShareStep, options: MoveOptions): Promise<void> {
  try {
    options.signal.throwIfAborted();
    if (step.type === 'move') await moveImage(step, options);
    else if (step.type === 'link') await pointLink(step.path, step.target);
    else await removeImage(step.path, step.file);
  } catch (error) {
    if (options.signal.aborted) throw reasonOf(options.signal);
    if (error instanceof Failure || error instanceof UserError) throw error;
    throw fail('share-failed', messageOf(error), systemCode(error) === 'ENOSPC' ? 'free some space' : 'may this user write there?', {
      cause: error,
    });
  }
}

/** Without links on the way, as far as it is there: what is done later is done there, and nowhere else. */
async function plainPath(path: string): Promise<string> {
  return realpath(path).catch(() => path); // told when something is done there
}

async function fileAt(path: string): Promise<FileIdentity> {
  const { dev, ino, ctimeMs } = await lstat(path);
  return { dev, ino, ctimeMs };
}

/** The file to share, whatever links lead to it. */
async function findShared(name: string, options: Places): Promise<string> {
  const [newest] = name.includes('/') ? [] : await namesakes(imageName(name), options);
  if (newest) return join(await plainPath(dirname(newest.path)), basename(newest.path));
  const { path, realPath } = await findImage(name, options);
  if ((await isLink(path)) && dirname(realPath) !== resolve(options.cwd, options.imagesDir))
    throw new UserError('usage', `${path} is a link to ${realPath}`, 'share that file itself');
  return realPath;
}

/** Images in the current folder and the images folder that go by a name, the newest first. */
async function namesakes(name: string, { cwd, imagesDir }: Places): Promise<ListedImage[]> {
  const lists = await Promise.all([...new Set([resolve(cwd), resolve(cwd, imagesDir)])].map((dir) => listImages(dir).catch(() => []))); // a folder that cannot be read has none
  const found = lists
    .flat()
    .filter(({ radical, path, brokenLinkTo }) => radical === name && brokenLinkTo === null && path.endsWith(IMAGE_SUFFIX));
  const own = await Promise.all(found.map(async (image) => ((await isLink(image.path)) ? null : image)));
  return own.filter((image) => image !== null).sort((a, b) => b.mtimeMs - a.mtimeMs);
}

/** Of the same owner: others may use the same names. */
async function olderOnes(from: string, options: Places): Promise<string[]> {
  const all = await namesakes(radicalOf(imageName(from)), options);
  const self = await lstat(from);
  const older = all.filter(({ node, path, mtimeMs }) => node !== null && path !== from && mtimeMs <= self.mtimeMs);
  const by = (await readProvenance(from).catch(() => null))?.by; // what cannot be read says nothing
  const own = await Promise.all(
    older.map(async ({ path }) => {
      const other = (await readProvenance(path).catch(() => null))?.by;
      return (await lstat(path)).uid === self.uid && (by === undefined || other === undefined || by === other);
    }),
  );
  return older.filter((_, index) => own[index]).map(({ path }) => path);
}

/** Symbolic links in the images folder that would lead nowhere once the file has another name. */
async function linksTo(file: string, imagesDir: string): Promise<string[]> {
  if (dirname(file) !== imagesDir) return [];
  const paths = (await readdir(imagesDir)).map((name) => join(imagesDir, name));
  const leadHere = await Promise.all(paths.map(async (path) => (await isLink(path)) && (await realpath(path).catch(() => null)) === file)); // null: a broken one
  return paths.filter((_, index) => leadHere[index]);
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() === true;
}

function checkName(name: string, what: string): string {
  if (name === '' || name.includes('/') || /^[.-]/.test(name) || holdsControls(name)) {
    throw new UserError(
      'usage',
      `${what} ${JSON.stringify(name)}: the name of a shared image is not empty, begins with neither . nor -, and has no slash and no control characters`,
    );
  }
  return name;
}

/** Whether something has the name and may go. */
async function checkTarget(from: string, to: string, force: boolean): Promise<boolean> {
  await checkFolders(from, to);
  const found = await lstat(to).catch(() => null); // nothing there
  if (!found) return false;
  if (found.isDirectory()) throw new UserError('refused', `${to} is a folder`, 'give the image another name');
  if (!force)
    throw new UserError(
      'refused',
      `${to} exists already, of ${found.mtime.toISOString().slice(0, 16).replace('T', ' ')} (UTC)`,
      '--force replaces it',
    );
  return true;
}

/** Moving takes the right to write in both folders; it is asked for before anything is done. */
async function checkFolders(from: string, to: string): Promise<void> {
  for (const dir of new Set([dirname(to), dirname(from)])) {
    await access(dir, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
      throw new UserError(
        'refused',
        `the image cannot be moved: ${messageOf(cause)}`,
        `you need to write in ${dir}: sudo imaging-share, or ask for write access`,
        { cause },
      );
    });
  }
}

/** Whether the alias must be made: not when it is there already. An image is never replaced by a link. */
async function checkAlias(path: string, target: string, force: boolean): Promise<boolean> {
  await checkFolders(path, path);
  const found = await lstat(path).catch(() => null); // nothing there
  if (!found) return true;
  if (!found.isSymbolicLink()) throw new UserError('refused', `${path} is an image itself, not an alias`, 'choose another alias');
  const leadsTo = await readlink(path);
  if (leadsTo === target) return false;
  if (!force) throw new UserError('refused', `${path} exists already and leads to ${leadsTo}`, '--force lets it lead to this image');
  return true;
}

/** Makes or changes a symbolic link, at once. */
async function pointLink(path: string, target: string): Promise<void> {
  const fresh = join(dirname(path), unfinishedName(basename(path)));
  await symlink(target, fresh);
  try {
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** Removes an image and what lies beside it, if it still is that file. */
async function removeImage(path: string, file: FileIdentity): Promise<void> {
  const folder = HeldFolder.open(dirname(path), { follow: false }); // held: its path may mean another folder by now
  try {
    await removeFrom(folder, path, file);
  } finally {
    folder.close();
  }
}

async function removeFrom(folder: HeldFolder, path: string, file: FileIdentity): Promise<void> {
  const held = folder.at(basename(path));
  const found = await lstat(held).catch(() => null); // gone meanwhile
  if (found && (found.dev !== file.dev || found.ino !== file.ino || found.ctimeMs !== file.ctimeMs))
    throw new UserError('refused', `${path} is not what it was: it stays`, 'is somebody changing that folder?');
  if (found) await unlink(held);
  await removeBeside(held);
}
