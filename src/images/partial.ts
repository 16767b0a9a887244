import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { processIdentity, type Host } from '../util/host.js';

/** Bytes that `partialPath` adds to a name at most, with which a file name still has to be one of 255. */
export const PARTIAL_NAME_BYTES = 48;
const NAME = /\.ndz\.([0-9a-f]{8})-(\d+)-(\d+)\.partial$/;
/** A folder may be shared with other machines, whose processes cannot be asked: theirs are left alone for so long. */
const FOREIGN_MS = 24 * 3600 * 1000;

/** What an image is called until it is whole and checked; names the process that makes it. */
export function partialPath(path: string, host: Pick<Host, 'pid'>): string {
  const identity = processIdentity(host.pid);
  return `${path}.${boot(identity?.bootId)}-${host.pid}-${identity?.startTime ?? '0'}.partial`;
}

/** Removes what killed processes of this machine left half-made in a folder, and returns the paths. What cannot be removed stays. */
export async function sweepPartials(dir: string, host: Pick<Host, 'pid' | 'now'>): Promise<string[]> {
  const ours = boot(processIdentity(host.pid)?.bootId);
  const removed: string[] = [];
  for (const name of await readdir(dir).catch(() => [])) {
    const [, bootId, pid, startTime] = NAME.exec(name) ?? [];
    if (bootId === undefined) continue;
    const path = join(dir, name);
    if (bootId === ours ? processIdentity(Number(pid))?.startTime === startTime : !(await isOld(path, host))) continue;
    await rm(path, { force: true }).then(() => removed.push(path), () => undefined); // somebody else's, perhaps: not our business
  }
  return removed;
}

async function isOld(path: string, host: Pick<Host, 'now'>): Promise<boolean> {
  const found = await stat(path).catch(() => null); // gone meanwhile
  return found !== null && host.now() - found.mtimeMs > FOREIGN_MS;
}

function boot(bootId: string | undefined): string {
  return (bootId ?? '').replaceAll('-', '').slice(0, 8).padEnd(8, '0');
}
