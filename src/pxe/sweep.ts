import { Failure } from '../util/errors.js';
import { printable } from '../util/text.js';
import { claimDead, readRecord } from './claim.js';
import type { PxeFolder } from './folder.js';
import type { Judge } from './judge.js';
import { linkOfRecord, ownerOfTemporary, recordName, tokenOfClaim } from './names.js';
import { ownerOf, type FoundRecord } from './owner-record.js';
import type { Who } from './who.js';

/** Removes links, records and unfinished files of runs that are gone; returns a phrase for each. */
export async function sweepFolder(folder: PxeFolder, judge: Judge, us: Who & { host: string }): Promise<string[]> {
  const names = await folder.list();
  const swept: string[] = [];
  for (const name of names) {
    const phrase = await tolerating(() => sweepOne(folder, judge, us, name));
    if (phrase) swept.push(phrase);
  }
  // claims last: those of dead records went with their records, what is left is of claimants that died
  for (const name of names) await tolerating(() => sweepClaim(folder, judge, names, name));
  return swept;
}

async function sweepOne(folder: PxeFolder, judge: Judge, us: Who & { host: string }, name: string): Promise<string | null> {
  const link = linkOfRecord(name);
  if (link) return sweepRecord(folder, judge, us, link);
  const owner = ownerOfTemporary(name);
  if (!owner || (await judge.lives(owner, await folder.touchedAt(name)))) return null;
  return (await folder.remove(name)) ? `unfinished file ${name}` : null;
}

async function sweepRecord(folder: PxeFolder, judge: Judge, us: Who & { host: string }, link: string): Promise<string | null> {
  const found = await readRecord(folder, recordName(link));
  if (!found || (await judge.isLive(found))) return null;
  const release = await claimDead(folder, judge, us, found.token);
  if (!release) return null; // another process is at it
  try {
    if ((await readRecord(folder, recordName(link)))?.token !== found.token) return null;
    return await removeDead(folder, link, found);
  } finally {
    await release();
  }
}

async function removeDead(folder: PxeFolder, link: string, found: FoundRecord): Promise<string> {
  const { record } = found;
  const there = await folder.look(link);
  // an unreadable record does not say what its link pointed to: then the link, which nobody else owns up to, goes as well
  // root's link goes only with root's record: others could write one beside any link to have root remove it
  const ours = there.type === 'link' && (record === null || there.target === record.target) && (there.uid !== 0 || found.uid === 0);
  if (ours) await folder.remove(link);
  await folder.remove(recordName(link));
  return `${ours ? 'next-boot link' : 'record of the next-boot link'} ${ownedPhrase(link, found)}`;
}

/** `01-… of fit07 (alice, pid 4711)`. */
export function ownedPhrase(link: string, found: FoundRecord): string {
  const { record } = found;
  return record ? printable(`${link} of ${record.node} (${ownerOf(found)}, pid ${record.process.pid})`) : `${link} (garbled record)`;
}

async function sweepClaim(folder: PxeFolder, judge: Judge, names: readonly string[], name: string): Promise<string | null> {
  const token = tokenOfClaim(name);
  if (!token) return null;
  const found = await readRecord(folder, name);
  if (!found || (await judge.isLive(found))) return null;
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
