import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { systemCode, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';

export const SYSTEM_RUNS_DIR = '/var/lib/imaging';

/**
 * Where journals and logs of runs go: `runs.dir` when it is set; else /var/lib/imaging when we can write it, or make
 * it; else ~/.local/state/imaging (XDG_STATE_HOME, when set, instead of ~/.local/state). The folder may not exist yet.
 *
 * @throws UserError `environment` when there is no home folder either
 */
export async function runsDir(configured: string | null, host: Pick<Host, 'env' | 'home'>, systemDir = SYSTEM_RUNS_DIR): Promise<string> {
  if (configured !== null) return configured;
  if (await isUsable(systemDir)) return systemDir;
  const state = host.env.XDG_STATE_HOME;
  if (state !== undefined && isAbsolute(state)) return join(state, 'imaging');
  if (isAbsolute(host.home())) return join(host.home(), '.local/state/imaging');
  throw new UserError('environment', 'there is no folder for the logs of runs', 'set dir in section [runs] of the configuration, or HOME');
}

async function isUsable(folder: string): Promise<boolean> {
  const works = async (path: string): Promise<boolean> => access(path, constants.W_OK | constants.X_OK).then(() => true);
  try {
    return await works(folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') return false;
    return works(dirname(folder)).catch(() => false);
  }
}
