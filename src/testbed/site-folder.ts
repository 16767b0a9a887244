import { accessSync, constants, statfsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { messageOf, UserError } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import { isAlive, isProcessIdentity, processIdentity, type Host, type ProcessIdentity } from '../util/host.js';
import { parseJson } from '../util/json.js';
import type { UndoStack } from '../util/undo.js';
import { siteLayout } from './site-files.js';

const TEMPORARY_PREFIX = 'imaging-testbed-';
const MEMORY_FOLDER = '/dev/shm';
const TMPFS_MAGIC = 0x0102_1994;

/**
 * Takes possession of a testbed's folder, and gives it up with `undo`: the one the user named, which stays, or a temporary
 * one, which goes. Throws UserError (usage: a path that configuration files cannot hold; refused: another testbed's).
 */
export async function openFolder(dir: string | null, neededBytes: number, host: Host, undo: UndoStack): Promise<string> {
  const folder = dir === null ? await makeTemporary(neededBytes, undo) : resolve(host.cwd(), dir);
  if (/["':\n]/.test(folder)) throw new UserError('usage', `${folder}: a testbed's folder cannot have quotes or colons in its path`);
  try {
    ensureFolder(folder);
  } catch (error) {
    throw new UserError('environment', `cannot make the testbed's folder ${folder}: ${messageOf(error)}`, 'choose another --dir', {
      cause: error,
    });
  }
  const { ownerPath } = siteLayout(folder);
  const owner = await readOwner(ownerPath);
  if (owner && isAlive(owner))
    throw new UserError('refused', `${folder} is in use by the testbed of process ${owner.pid}`, 'choose another --dir, or end that one');
  await writeFile(ownerPath, JSON.stringify(processIdentity(host.pid)));
  undo.push('owner record', () => rm(ownerPath, { force: true }));
  return folder;
}

async function makeTemporary(neededBytes: number, undo: UndoStack): Promise<string> {
  for (const parent of new Set([MEMORY_FOLDER, tmpdir()])) await sweep(parent);
  const made = await mkdtemp(join(await realpath(temporaryFolder(neededBytes)), TEMPORARY_PREFIX));
  undo.push('folder', () => rm(made, { recursive: true, force: true, maxRetries: 3 }));
  return made;
}

/** Removes temporary folders of testbeds that were killed. Other users' stay: they are not ours to remove. */
async function sweep(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((one) => one.startsWith(TEMPORARY_PREFIX))) {
    const folder = join(parent, name);
    const owner = await readOwner(siteLayout(folder).ownerPath);
    if (owner && !isAlive(owner)) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Every transfer ends by bringing a disk to its medium: dozens at once are best kept in memory, when there is plenty of it. */
function temporaryFolder(neededBytes: number): string {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK | constants.X_OK);
    const { type, bavail, bsize } = statfsSync(MEMORY_FOLDER);
    if (type === TMPFS_MAGIC && bavail * bsize > 2 * neededBytes && freemem() > 2 * neededBytes) return MEMORY_FOLDER;
  } catch {
    // not there, or not for us
  }
  return tmpdir();
}

async function readOwner(path: string): Promise<ProcessIdentity | null> {
  const value = parseJson(await readFile(path, 'utf8').catch(() => ''));
  return isProcessIdentity(value) ? value : null;
}
