import { readRecord } from './claim.js';
import { PxeFolder } from './folder.js';
import { Judge } from './judge.js';
import { linkOfRecord, ownerOfTemporary, recordName } from './names.js';
import { ownedPhrase } from './sweep.js';
import { ourselves, type Here } from './who.js';

/** What a sweep would take away, a phrase each, and links to `target` that have no record: not made by imaging. */
export type Leftovers = { dead: string[]; foreign: string[] };

/** Looks, and touches nothing that is there. Throws as `PxeFolder` does. */
export async function findLeftovers(configDir: string, target: string, here: Here): Promise<Leftovers> {
  const folder = new PxeFolder(configDir, ourselves(here));
  const judge = new Judge(folder, here.machine());
  const names = await folder.list();
  const found: Leftovers = { dead: [], foreign: [] };
  for (const name of names) {
    const link = linkOfRecord(name);
    const owner = ownerOfTemporary(name);
    if (link) {
      const record = await readRecord(folder, name);
      if (record && !(await judge.isLive(record))) found.dead.push(ownedPhrase(link, record));
    } else if (owner) {
      const touchedAt = await folder.touchedAt(name);
      if (touchedAt > 0 && !(await judge.lives(owner, touchedAt))) found.dead.push(`unfinished file ${name}`);
    } else if (name.startsWith('01-') && !names.includes(recordName(name))) {
      const there = await folder.look(name);
      if (there.type === 'link' && there.target === target) found.foreign.push(name);
    }
  }
  return found;
}
