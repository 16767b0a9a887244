import { lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, systemCode, UserError } from '../util/errors.js';
import { pathBeside } from '../util/path-beside.js';
import { findBmap } from './bmap.js';
import {
  checksumFile,
  checksumPath,
  hashFile,
  removeChecksum,
  doubtOf,
  provenanceFile,
  provenancePath,
  type Provenance,
} from './records.js';
import { copyHeld } from './copy-held.js';
import { HeldImage } from './held-image.js';
import { placeImage, IMAGE_SUFFIX } from './saved.js';
import { checkSum, checkWhole } from './share-check.js';
import { prepareSideFile, writeSideFile, type SideFile } from './side-file.js';
import type { Evidence } from './whole.js';

/** An image gets another name; paths are absolute. */
export type Move = { type: 'move'; from: string; to: string /** Something has that name, and goes. */; replaces: boolean };

export type MoveOptions = {
  /** Whose work this is: what belongs to somebody else is copied, not given a name. */
  uid: number;
  signal: AbortSignal;
  /** While it is checked, or copied. */
  onBytes: (doneBytes: number, totalBytes: number) => void;
  warn: (text: string) => void;
  /** Also an image with something against its origin; that is warned of then. */
  force: boolean;
};

/** Everybody may read what is shared. */
const SHARED_MODE = 0o644;
/** File systems without hard links, and kernels that keep them from files of somebody else; and other file systems. */
const NOT_LINKED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

/** Moves an image, and what lies beside it. A name appears with its whole content or not at all. Throws as `performShare` does. */
export async function moveImage(step: Move, options: MoveOptions): Promise<void> {
  const image = await HeldImage.open(step.from);
  try {
    const [checksum, provenance] = [await image.checksum(), await image.provenance()];
    refuseDoubtful(image, provenance, options);
    const fresh = await underHiddenName(image, step, { expected: checksum, record: provenance }, options);
    try {
      const besides = [
        ...(checksum === null ? [] : [checksumFile(step.to, checksum)]),
        ...(provenance === null ? [] : [provenanceFile(step.to, provenance)]),
      ];
      if (options.force && !step.replaces) await removeBeside(step.to); // of an image that is gone: they are in the way
      if (step.replaces) await replace(fresh, step.to, besides);
      else if (!(await placeImage(fresh, step.to, besides, { mode: SHARED_MODE }))) throw await taken(step.to);
    } finally {
      await rm(fresh, { force: true });
    }
    const bmap = step.to.endsWith(IMAGE_SUFFIX) ? null : await findBmap(step.from);
    await image.removeOldName();
    if (bmap !== null) options.warn(`${bmap.path} stays where it is: copy it beside the image, so that loads check against it`);
  } finally {
    await image.close();
  }
}

function refuseDoubtful(image: HeldImage, provenance: Provenance | null, { force, warn }: MoveOptions): void {
  const doubt = doubtOf(provenance, image.stats.size);
  if (doubt === null) return;
  if (!force)
    throw new UserError(
      'refused',
      `${image.path} was ${doubt}`,
      'save it again from a node that runs well; --force shares it all the same',
    );
  warn(`${image.path} was ${doubt}: it is shared all the same, and says so still`);
}

/**
 * The image, checked and readable for everybody, under a hidden name beside its new one. It is this very file where it
 * is ours or root's; of anybody else's, who could change it at any time, it is a copy of our own.
 */
async function underHiddenName(
  image: HeldImage,
  { from, to }: Move,
  beside: Omit<Evidence, 'hash'>,
  options: MoveOptions,
): Promise<string> {
  const fresh = await pathBeside(to);
  const { expected } = beside;
  const tell = (note: string | null): void => (note === null ? undefined : options.warn(`${from}: ${note}`));
  const { uid, size } = image.stats;
  if (uid === options.uid || uid === 0) {
    tell(await checkWhole(image.readPath, from, beside, options.signal));
    if (expected !== null)
      checkSum(
        from,
        await hashFile(image.readPath, { signal: options.signal, onBytes: (bytes) => options.onBytes(bytes, size) }),
        expected,
      );
    await letRead(image, options);
    if (await linked(image, fresh, to)) return fresh;
  }
  try {
    const sha256 = await copyHeld(image, fresh, SHARED_MODE, options);
    tell(await checkWhole(fresh, from, beside, options.signal));
    checkSum(from, sha256, expected);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  return fresh;
}

/** By its descriptor: a path may mean another file by now. */
async function letRead({ handle, stats: { mode } }: HeldImage, { warn }: MoveOptions): Promise<void> {
  if ((mode & 0o444) === 0o444) return;
  await handle
    .chmod((mode & 0o777) | 0o444)
    .catch((error: unknown) => warn(`not everybody may be able to read the image: ${messageOf(error)}`));
}

/** False: it must be copied. */
async function linked(image: HeldImage, fresh: string, to: string): Promise<boolean> {
  try {
    await image.linkTo(fresh);
    return true;
  } catch (error) {
    if (!NOT_LINKED.has(systemCode(error) ?? '')) throw error;
    if (systemCode(error) === 'EXDEV' || dirname(image.path) !== dirname(to)) return false;
  }
  await image.renameTo(fresh);
  return true;
}

/**
 * Puts an image in the place of another. At every moment what lies beside the name is of that content or says that it is
 * not: an origin names its image's SHA-256, a checksum is gone while the image changes.
 */
async function replace(fresh: string, to: string, besides: readonly SideFile[]): Promise<void> {
  const checksum = besides.find(({ path }) => path === checksumPath(to));
  const prepared = checksum ? await prepareSideFile(checksum, SHARED_MODE) : null;
  try {
    await removeChecksum(to);
    const origin = besides.find(({ path }) => path === provenancePath(to));
    if (origin) await writeSideFile(origin, SHARED_MODE);
    else await rm(provenancePath(to), { force: true });
    await rename(fresh, to);
    if (prepared !== null) await rename(prepared, checksumPath(to));
  } finally {
    if (prepared !== null) await rm(prepared, { force: true });
  }
}

async function taken(to: string): Promise<UserError> {
  const image = await lstat(to).catch(() => null);
  if (image) return new UserError('refused', `${to} exists already`, '--force replaces it');
  return new UserError(
    'refused',
    `${checksumPath(to)} or ${provenancePath(to)} exists already, without an image`,
    'of an image that is gone? --force replaces them',
  );
}

/** Removes what lies beside an image. */
export async function removeBeside(path: string): Promise<void> {
  await removeChecksum(path);
  await rm(provenancePath(path), { force: true });
}
