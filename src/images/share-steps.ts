import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, open, rename, rm, stat, symlink, unlink, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { reasonOf } from '../util/abort.js';
import { Failure, messageOf, systemCode, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { findBmap } from './bmap.js';
import { checksumPath, readChecksum, removeChecksum, writeChecksum } from './checksum-file.js';
import { placeUnlessTaken } from './place.js';
import { provenancePath, readProvenance, writeProvenance } from './provenance.js';
import { IMAGE_SUFFIX } from './saved-name.js';
import type { ShareStep } from './share.js';

export type PerformOptions = { host: Host; signal: AbortSignal; /** Of a move between file systems. */ onBytes: (doneBytes: number, totalBytes: number) => void; warn: (text: string) => void };

/** Does one step of sharing. A name appears with its whole content or not at all. Throws Failure `share-failed`, UserError, or the signal's reason. */
export async function performShare(step: ShareStep, options: PerformOptions): Promise<void> {
  try {
    if (step.type === 'move') await move(step, options);
    else if (step.type === 'link') await pointLink(step.path, step.target, options.host);
    else await removeImage(step.path);
  } catch (error) {
    if (options.signal.aborted) throw reasonOf(options.signal);
    if (error instanceof Failure || error instanceof UserError) throw error;
    throw new Failure('share-failed', messageOf(error), systemCode(error) === 'ENOSPC' ? 'free some space' : 'may this user write there?', { cause: error });
  }
}

async function move({ from, to, replaces }: Extract<ShareStep, { type: 'move' }>, options: PerformOptions): Promise<void> {
  const [checksum, provenance] = [await readChecksum(from), await readProvenance(from)];
  await chmod(from, (await stat(from)).mode | 0o444).catch((error: unknown) => options.warn(`not everybody may be able to read the image: ${messageOf(error)}`));
  if (replaces) await removeBeside(to); // what lies beside the old image says nothing about the new one
  await place(from, to, replaces, checksum, options);
  if (checksum !== null) await writeChecksum(to, checksum);
  if (provenance !== null) await writeProvenance(to, provenance);
  for (const path of [checksumPath(to), provenancePath(to)]) await chmod(path, 0o644).catch(() => undefined); // may not be there
  const bmap = to.endsWith(IMAGE_SUFFIX) ? null : await findBmap(from);
  await removeImage(from);
  if (bmap !== null) options.warn(`${bmap.path} stays where it is: copy it beside the image, so that loads check against it`);
}

/** Gives the file its new name; on another file system that takes a copy, which is checked. */
async function place(from: string, to: string, replaces: boolean, checksum: string | null, options: PerformOptions): Promise<void> {
  try {
    await giveName(from, to, replaces);
    return;
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
  }
  const fresh = join(dirname(to), `.${basename(to)}.${options.host.pid}.${options.host.random().toString(36).slice(2)}.tmp`);
  try {
    const sha256 = await copy(from, fresh, options);
    if (checksum !== null && sha256 !== checksum) throw new Failure('share-damaged', `${from} does not have the SHA-256 that ${checksumPath(from)} says`, 'it is damaged: save it again');
    await giveName(fresh, to, replaces);
  } finally {
    await rm(fresh, { force: true });
  }
}

async function giveName(from: string, to: string, replaces: boolean): Promise<void> {
  if (replaces) await rename(from, to);
  else if (!(await placeUnlessTaken(from, to))) throw new UserError('refused', `${to} exists already`, '--force replaces it');
}

/** Copies content, mode and date; returns the SHA-256 of what was copied. */
async function copy(from: string, to: string, { signal, onBytes }: PerformOptions): Promise<string> {
  const { size, mode, atime, mtime } = await stat(from);
  const hash = createHash('sha256');
  let doneBytes = 0;
  const source = createReadStream(from, { highWaterMark: 1 << 20 });
  const counted = async function* (pieces: AsyncIterable<Buffer>) {
    for await (const piece of pieces) {
      hash.update(piece);
      yield piece;
      onBytes((doneBytes += piece.byteLength), size);
    }
  };
  await pipeline(source, counted, createWriteStream(to, { flags: 'wx', mode }), { signal });
  const handle = await open(to, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(to, mode);
  await utimes(to, atime, mtime);
  return hash.digest('hex');
}

/** Makes or changes a symbolic link, at once. */
async function pointLink(path: string, target: string, host: Host): Promise<void> {
  const fresh = join(dirname(path), `.${basename(path)}.${host.pid}.${host.random().toString(36).slice(2)}.tmp`);
  await symlink(target, fresh);
  try {
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

async function removeImage(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error; // a rename has taken it already
  });
  await removeBeside(path);
}

async function removeBeside(path: string): Promise<void> {
  await removeChecksum(path);
  await rm(provenancePath(path), { force: true });
}
