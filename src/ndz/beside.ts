import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { processIdentity, systemHost } from '../util/host.js';

/** Machine, process and its start (0 where nobody tells), then something random. */
const OWNER = /^([^.]*)-(\d+)-(\d+)\.[a-z0-9]+\.tmp$/;

/**
 * The hidden name beside `finalPath` under which a file is written until it is complete. Such files of the same name that
 * processes of this machine left behind when they were killed are removed.
 */
export async function pathBeside(finalPath: string): Promise<string> {
  const [folder, prefix] = [dirname(finalPath), `.${basename(finalPath)}.`];
  const names = await readdir(folder).catch(() => []); // what is wrong with the folder is told when the file is made
  for (const name of names) if (name.startsWith(prefix) && isOrphan(name.slice(prefix.length))) await rm(join(folder, name), { force: true });
  const startTime = processIdentity(systemHost.pid)?.startTime ?? '0';
  return join(folder, `${prefix}${systemHost.shortHostname()}-${systemHost.pid}-${startTime}.${systemHost.random().toString(36).slice(2)}.tmp`);
}

function isOrphan(owner: string): boolean {
  const [, machine, pid, startTime] = OWNER.exec(owner) ?? [];
  // another machine may share the folder
  if (machine !== systemHost.shortHostname() || startTime === '0') return false;
  return processIdentity(Number(pid))?.startTime !== startTime;
}
