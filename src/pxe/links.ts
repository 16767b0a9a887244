import { randomBytes } from 'node:crypto';
import type { Host } from '../util/host.js';
import { PxeFolder } from './folder.js';
import type { Holder } from './holder.js';
import { Judge } from './judge.js';
import { linkName } from './names.js';
import { OwnRecords } from './own-records.js';
import { sweepFolder } from './sweep.js';
import { ourselves } from './who.js';
import { fail } from './failures.js';

export { holderPhrase } from './holder.js';
export type { Holder } from './holder.js';

export type LinksOptions = {
  /** pxelinux' folder of per-machine files, `…/pxelinux.cfg`. */
  configDir: string;
  /** Text of the links: the name of the ramdisk's file in that folder. */
  target: string;
  host: Pick<Host, 'pid' | 'login' | 'now' | 'shortHostname' | 'machine'>;
  /** The run the links belong to; by default one of its own. */
  run?: string;
};

/** `replaced`: what the link of another program pointed to that stood there before, else null. */
export type Placed = { replaced: string | null };

/**
 * Nodes and their next-boot links: while its link stands, a node boots the ramdisk instead of its disk. Beside it lies a
 * record of who holds the node, made before anything is done to it and removed after everything: one run works on a node
 * at a time, and a later one can tell dead runs' records and links from live ones. Any number of processes may work in
 * the folder, of several machines when it is shared. All reject with a UserError when the folder is missing, with a
 * Failure `pxe-permission` when it may not be written.
 */
export type NextBootLinks = {
  /**
   * Makes the node ours until `release`. Rejects with a Failure `node-busy` that names the holder when another live run has
   * it. The signal aborts, with a Failure `lock-lost` as its reason, when the node is seen to be ours no more: this process
   * was stopped, or cut off from the folder, for so long that another run took the node over.
   */
  claim(mac: string, node: string): Promise<AbortSignal>;
  /** To be asked before each step that cannot be taken back: rejects with a Failure `lock-lost` when the node is not ours any more. */
  check(mac: string, node: string): Promise<void>;
  /**
   * Makes the node boot the ramdisk from now on; claims it first when it is not ours. Rejects with a Failure `pxe-occupied`
   * when a file or folder of that name stands there, `lock-lost` when the node was ours and is
   * no more. Links of dead runs and of other programs are replaced.
   */
  place(mac: string, node: string): Promise<Placed>;
  /** Removes the link when it is ours; the node stays ours. May be called any number of times. */
  unlink(mac: string): Promise<void>;
  /** Removes the link when it is ours, and gives the node up; does nothing otherwise. May be called any number of times. */
  release(mac: string): Promise<void>;
  /** The other live run that holds a node; null when there is none, or the folder cannot be read. */
  holder(mac: string): Promise<Holder | null>;
  /** Shows on our records that we are still there: for runs on other machines, which cannot look for our process. Never rejects. */
  beat(): Promise<void>;
  /** Removes what dead runs left; returns a phrase for each thing removed. Leaves alone what is not ours to remove. */
  sweep(): Promise<string[]>;
};

/** How often `beat` wants to be called. */
export const BEAT_MS = 20_000;

export function createLinks({ configDir, target, host, run = randomBytes(6).toString('hex') }: LinksOptions): NextBootLinks {
  const us = { ...ourselves(host), host: host.shortHostname() };
  const folder = new PxeFolder(configDir, us);
  const judge = new Judge(folder, host.machine());
  const records = new OwnRecords(folder, judge, { ...us, run, login: host.login(), target }, () => host.now());
  const context: Context = { folder, records, target };
  return {
    claim: async (mac, node) => (await records.own(linkName(mac), node)).lost,
    check: async (mac, node) => records.check(linkName(mac), node),
    place: async (mac, node) => place(context, linkName(mac), node),
    unlink: async (mac) => unlink(context, linkName(mac)),
    release: async (mac) => release(context, linkName(mac)),
    holder: async (mac) => records.holder(linkName(mac)).catch(() => null),
    beat: () => records.beat(),
    sweep: () => sweepFolder(folder, judge, us),
  };
}

type Context = { folder: PxeFolder; records: OwnRecords; target: string };

async function place({ folder, records, target }: Context, link: string, node: string): Promise<Placed> {
  const { before } = await records.own(link, node);
  try {
    const there = await folder.look(link);
    if (there.type === 'other') {
      throw fail(
        'pxe-occupied',
        `${folder.path}/${link} (${node}) is not a link: somebody wrote it by hand`,
        'move it away, or give the node back to whom it belongs to',
      );
    }
    await records.check(link, node);
    await folder.placeLink(link, target);
    return { replaced: there.type === 'link' && (before === 'new' || there.target !== target) ? there.target : null };
  } catch (error) {
    if (before !== 'ours') await release({ folder, records, target }, link).catch(() => {}); // the first error tells more
    throw error;
  }
}

/** Removes our link; does nothing when the node is not ours. */
async function unlink({ folder, records, target }: Context, link: string): Promise<void> {
  const there = await folder.look(link);
  if (there.type === 'link' && there.target === target && (await records.isOurs(link))) await folder.remove(link);
}

async function release(context: Context, link: string): Promise<void> {
  await unlink(context, link);
  await context.records.remove(link); // last: as long as it stands, nobody else of ours touches the link
}
