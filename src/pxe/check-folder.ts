import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../util/errors.js';

/** A warning when the file the next-boot links point to is not there (links would lead nowhere), else null. */
export async function checkTarget(configDir: string, target: string): Promise<string | null> {
  const path = join(configDir, target);
  try {
    await stat(path);
    return null;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EACCES') return null; // it is the TFTP server that has to read it, not we
    return `${path} does not exist${code === 'ENOENT' ? '' : ` (${code})`}: nodes told to boot it will boot something else`;
  }
}
