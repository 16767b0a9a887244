import { randomBytes } from 'node:crypto';
import { isAlive, type Host, type ProcessIdentity } from '../util/host.js';
import type { PxeFolder } from './folder.js';
import { claimName } from './names.js';
import { foundRecord, formatRecord, type FoundRecord } from './owner-record.js';

/** The machine we are on, and its clock. */
export type Here = Pick<Host, 'shortHostname' | 'now'>;

/** How many claimants in a row may have died while they held a claim before we give up. */
const MAX_DEPTH = 32;

/**
 * The right, for one process at a time, to do away with a file whose owner is dead. A claim is a file named after the
 * dead file's contents, so there is one per incarnation, and creating it is atomic. When a claimant died, the next one
 * claims the dead claim, and so on: only the live end of the chain acts, and all before it are gone.
 *
 * Returns what gives the claim back, or null when a live process holds it or things changed meanwhile: look again. The
 * holder must check that the file is still the one it claimed before it acts.
 */
export async function claimDead(folder: PxeFolder, process: ProcessIdentity, here: Here, token: string): Promise<(() => Promise<void>) | null> {
  const chain: string[] = [];
  const contents = formatRecord({ process, host: here.shortHostname(), run: '', node: '', login: '', at: 0, target: '', nonce: randomBytes(12).toString('hex') });
  for (let next = token; chain.length < MAX_DEPTH; ) {
    const name = claimName(next);
    if (await folder.create(name, contents)) {
      return async () => {
        for (const held of [...chain, name]) await folder.remove(held);
      };
    }
    const found = await readRecord(folder, name);
    if (!found || isLive(found, here)) return null;
    chain.push(name);
    next = found.token;
  }
  return null;
}

/** The record in a file, or null when there is no such file. */
export async function readRecord(folder: PxeFolder, name: string): Promise<FoundRecord | null> {
  const file = await folder.read(name);
  return file === null ? null : foundRecord(file.contents, file.touchedAt);
}

/** A run on another machine that has not shown itself for so long is gone; its clock may be off by some of that. */
export const SILENT_MS = 300_000;

/**
 * Whether the process that wrote a record still runs: looked up where it is one of this machine, else by when it touched
 * its record last. What is no record was left by nobody who runs, as ours appear whole.
 */
export function isLive({ record, touchedAt }: FoundRecord, here: Here): boolean {
  if (record === null) return false;
  const elsewhere = record.host !== '' && record.host !== here.shortHostname();
  return elsewhere ? here.now() - touchedAt < SILENT_MS : isAlive(record.process);
}
