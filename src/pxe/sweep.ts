import { isAlive, type ProcessIdentity } from '../util/host.js';
import { claimDead, type Here, isLive, readRecord, SILENT_MS } from './claim.js';
import type { PxeFolder } from './folder.js';
import { linkOfRecord, ownerOfTemporary, recordName, tokenOfClaim } from './names.js';
import type { FoundRecord, OwnerRecord } from './owner-record.js';
import { Failure } from '../util/errors.js';

/** Removes links, records and unfinished files of runs that are gone; returns a phrase for each. */
export async function sweepFolder(folder: PxeFolder, process: ProcessIdentity, here: Here): Promise<string[]> {
  const names = await folder.list();
  const swept: string[] = [];
  for (const name of names) {
    const phrase = await tolerating(() => sweepOne(folder, process, here, name));
    if (phrase) swept.push(phrase);
  }
  // claims last: those of dead records went with their records, what is left is of claimants that died
  for (const name of names) await tolerating(() => sweepClaim(folder, here, names, name));
  return swept;
}

async function sweepOne(folder: PxeFolder, process: ProcessIdentity, here: Here, name: string): Promise<string | null> {
  const link = linkOfRecord(name);
  if (link) return sweepRecord(folder, process, here, link);
  const owner = ownerOfTemporary(name);
  if (!owner || isAlive(owner)) return null;
  // of another boot: perhaps of another machine, which may be about to put it in its place
  if (owner.bootId !== process.bootId && here.now() - (await folder.touchedAt(name)) < SILENT_MS) return null;
  return (await folder.remove(name)) ? `unfinished file ${name}` : null;
}

async function sweepRecord(folder: PxeFolder, process: ProcessIdentity, here: Here, link: string): Promise<string | null> {
  const found = await readRecord(folder, recordName(link));
  if (!found || isLive(found, here)) return null;
  const release = await claimDead(folder, process, here, found.token);
  if (!release) return null; // another process is at it
  try {
    if ((await readRecord(folder, recordName(link)))?.token !== found.token) return null;
    return await removeDead(folder, link, found);
  } finally {
    await release();
  }
}

async function removeDead(folder: PxeFolder, link: string, { record }: FoundRecord): Promise<string> {
  const there = await folder.look(link);
  // an unreadable record does not say what its link pointed to: then the link, which nobody else owns up to, goes as well
  const ours = there.type === 'link' && (record === null || there.target === record.target);
  if (ours) await folder.remove(link);
  await folder.remove(recordName(link));
  return `${ours ? 'next-boot link' : 'record of the next-boot link'} ${link}${record ? ownerPhrase(record) : ' (garbled record)'}`;
}

function ownerPhrase({ node, login, process }: OwnerRecord): string {
  return ` of ${node} (${login}, pid ${process.pid})`;
}

async function sweepClaim(folder: PxeFolder, here: Here, names: readonly string[], name: string): Promise<string | null> {
  const token = tokenOfClaim(name);
  if (!token) return null;
  const found = await readRecord(folder, name);
  if (!found || isLive(found, here)) return null;
  // as long as what it claims is there, it is a link in a chain that others may stand on
  for (const other of names) {
    if (other === name || !(linkOfRecord(other) || tokenOfClaim(other))) continue;
    if ((await readRecord(folder, other))?.token === token) return null;
  }
  await folder.remove(name);
  return null;
}

/** One thing we may not remove (another person's, in a sticky folder) does not keep the rest from being swept. */
async function tolerating(work: () => Promise<string | null>): Promise<string | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}
