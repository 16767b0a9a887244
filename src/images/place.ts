import { link, lstat, rename } from 'node:fs/promises';
import { systemCode } from '../util/errors.js';

/** File systems without hard links, and kernels that keep them from files of somebody else. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Gives a file the name `path` unless something has it, and tells which. The file may keep its old name as well. Throws the
 * system's error.
 */
export async function placeUnlessTaken(file: string, path: string): Promise<boolean> {
  try {
    await link(file, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    if (!NO_LINKS.has(systemCode(error) ?? '')) throw error;
  }
  if (await lstat(path).catch(() => null)) return false;
  await rename(file, path);
  return true;
}
