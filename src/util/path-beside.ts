import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemHost } from './host.js';
import { unfinishedIn, unfinishedName } from './whole-file.js';

/**
 * The hidden path beside `finalPath` under which a file is written until it is complete. What killed processes left
 * of the same file is removed, where we may.
 */
export async function pathBeside(finalPath: string): Promise<string> {
  const [folder, name] = [dirname(finalPath), basename(finalPath)];
  for (const path of unfinishedIn(folder, systemHost.now(), name)) await rm(path, { force: true }).catch(() => undefined); // somebody else's
  return join(folder, unfinishedName(name));
}
