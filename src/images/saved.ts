import { lstat, rm, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { finishedName, unfinishedIn, unfinishedName, UNFINISHED_KEEPS_BYTES } from '../util/whole-file.js';
import { NATIVE_SUFFIXES } from './formats.js';
import { placeUnlessTaken } from './place.js';
import { prepareSideFile, writeFailure, type SideFile } from './side-file.js';

export const IMAGE_SUFFIX = '.ndz';

/** What the name of a saved image tells: `saving__fit07__2026-11-21@01-16__my-setup`. */
export type SavedName = {
  node: string /** As it is written in the name. */;
  date: string /** What the person called it. */;
  radical: string;
};

const DATE = String.raw`\d{4}-\d\d-\d\d@\d\d[-:]\d\d(?:-\d+)?`;
const PATTERNS = [
  // what is written now, and with the separators of earlier tools
  new RegExp(String.raw`^saving(?<separator>__|==|--)(?<node>.+?)\k<separator>(?<date>${DATE})\k<separator>(?<radical>.+)$`, 'u'),
  // the tool of 2015
  new RegExp(String.raw`^(?<node>[A-Za-z][A-Za-z0-9-]*\d+)=(?<date>${DATE})=(?<radical>.+)$`, 'u'),
];

/** The name a saved image has, the `nth` of its minute: date and time are local, and without a colon, so that names paste in any shell. */
export function savedName(node: string, atMs: number, radical: string, nth = 1): string {
  return `saving__${node}__${localMinute(atMs).replace(':', '-')}${nth === 1 ? '' : `-${nth}`}__${radical}`;
}

/** Takes a saved image's name (without .ndz) apart; null for any other name. */
export function parseSavedName(name: string): SavedName | null {
  for (const pattern of PATTERNS) {
    const { node, date, radical } = pattern.exec(name)?.groups ?? {};
    if (node !== undefined && date !== undefined && radical !== undefined) return { node, date, radical };
  }
  return null;
}

/** What an image is called whoever saved it when: the last part of a saved image's name, else the whole name. */
export function radicalOf(name: string): string {
  return parseSavedName(name)?.radical ?? name;
}

/** The name an image goes by: its file's, without .ndz. */
export function imageName(path: string): string {
  return basename(path, IMAGE_SUFFIX);
}

/** Whether a file of this name is taken for an image. */
export function isImageFile(name: string): boolean {
  if (name.startsWith('.') || /\.tar\.\w+$/.test(name)) return false;
  return name.endsWith(IMAGE_SUFFIX) || NATIVE_SUFFIXES.some((suffix) => name.endsWith(suffix) && name.length > suffix.length);
}

/** `2026-11-21@01:16`, local time. */
export function localMinute(atMs: number): string {
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  return `${local.slice(0, 10)}@${local.slice(11, 16)}`;
}

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

/** Where images that are saved go: root's into the images folder, anybody else's into the current one. */
export function savedInto(imagesDir: string, host: { uid(): number; cwd(): string }): string {
  return host.uid() === 0 ? imagesDir : host.cwd();
}

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
