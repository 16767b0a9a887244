import { randomBytes } from 'node:crypto';
import type { PxeFolder } from './folder.js';
import type { Judge } from './judge.js';
import { claimName } from './names.js';
import { foundRecord, formatRecord, type FoundRecord } from './owner-record.js';
import type { Who } from './who.js';

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
export async function claimDead(
  folder: PxeFolder,
  judge: Judge,
  us: Who & { host: string },
  token: string,
): Promise<(() => Promise<void>) | null> {
  const chain: string[] = [];
  const { process, machine, host } = us;
  const contents = formatRecord({
    process,
    machine,
    host,
    run: '',
    node: '',
    login: '',
    at: 0,
    target: '',
    nonce: randomBytes(12).toString('hex'),
  });
  for (let next = token; chain.length < MAX_DEPTH; ) {
    const name = claimName(next);
    if (await folder.create(name, contents)) {
      return async () => {
        for (const held of [...chain, name]) await folder.remove(held);
      };
    }
    const found = await readRecord(folder, name);
    if (!found || (await judge.isLive(found))) return null;
    chain.push(name);
    next = found.token;
  }
  return null;
}

/** The record in a file, or null when there is no such file. */
export async function readRecord(folder: PxeFolder, name: string): Promise<FoundRecord | null> {
  const file = await folder.read(name);
  return file === null ? null : foundRecord(file);
}
