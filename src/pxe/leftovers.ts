import { isAlive, processIdentity } from '../util/host.js';
import { type Here, isLive, readRecord, SILENT_MS } from './claim.js';
import { PxeFolder } from './folder.js';
import { linkOfRecord, ownerOfTemporary, recordName } from './names.js';

/** What a sweep would take away, a phrase each, and links to `target` that have no record: not made by imaging. */
export type Leftovers = { dead: string[]; foreign: string[] };

/** Looks and touches nothing. Throws as `PxeFolder` does. */
export async function findLeftovers(configDir: string, target: string, here: Here & { readonly pid: number }): Promise<Leftovers> {
  const process = processIdentity(here.pid);
  if (!process) throw new Error(`no process ${here.pid} in /proc`);
  const folder = new PxeFolder(configDir, process);
  const names = await folder.list();
  const found: Leftovers = { dead: [], foreign: [] };
  for (const name of names) {
    const link = linkOfRecord(name);
    const owner = ownerOfTemporary(name);
    if (link) {
      const record = await readRecord(folder, name);
      if (record && !isLive(record, here)) found.dead.push(record.record ? `${link} of ${record.record.node} (${record.record.login}, pid ${record.record.process.pid})` : `${link} (garbled record)`);
    } else if (owner && !isAlive(owner) && (owner.bootId === process.bootId || here.now() - (await folder.touchedAt(name)) >= SILENT_MS)) found.dead.push(`unfinished file ${name}`);
    else if (name.startsWith('01-') && !names.includes(recordName(name))) {
      const there = await folder.look(name);
      if (there.type === 'link' && there.target === target) found.foreign.push(name);
    }
  }
  return found;
}
