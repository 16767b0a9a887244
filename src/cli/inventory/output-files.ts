import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutputFile } from '../../inventory/generate/outputs.js';
import { messageOf, systemCode, UserError } from '../../util/errors.js';
import { ensureFolder } from '../../util/folders.js';
import { pathBeside } from '../../util/path-beside.js';

/** How the file on disk compares with what it should be. */
export type FileState = 'current' | 'differs' | 'missing';

/** Whether each file in `dir` already holds its text. Throws a UserError (environment) when one cannot be read. */
export async function compareFiles(dir: string, files: readonly OutputFile[]): Promise<Map<OutputFile, FileState>> {
  const states = new Map<OutputFile, FileState>();
  for (const file of files) {
    const path = join(dir, file.name);
    try {
      states.set(file, (await readFile(path, 'utf8')) === file.text ? 'current' : 'differs');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT')
        throw new UserError('environment', `cannot read ${path}: ${messageOf(error)}`, undefined, { cause: error });
      states.set(file, 'missing');
    }
  }
  return states;
}

/**
 * Writes files into `dir`, which is made when missing: all texts first, beside the files, and only then each in its place at
 * once. Throws a UserError (environment); nothing is left then but whole files, old or new.
 */
export async function writeFiles(dir: string, files: readonly OutputFile[]): Promise<void> {
  const written: { fresh: string; target: string }[] = [];
  let path = dir;
  try {
    ensureFolder(dir);
    for (const file of files) {
      path = join(dir, file.name);
      const target = await realpath(path).catch(() => path); // a link stays one
      const fresh = await pathBeside(target);
      written.push({ fresh, target });
      await writeFile(fresh, file.text, { flush: true, flag: 'wx' });
    }
    for (const { fresh, target } of written) {
      path = target;
      await rename(fresh, target);
    }
  } catch (error) {
    throw new UserError('environment', `cannot write ${path}: ${messageOf(error)}`, 'may this user write there?', { cause: error });
  } finally {
    for (const { fresh } of written) await rm(fresh, { force: true }).catch(() => undefined); // what went wrong first is what counts
  }
}
