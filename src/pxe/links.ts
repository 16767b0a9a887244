import { randomBytes } from 'node:crypto';
import { sleep } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import { processIdentity, type Host, type ProcessIdentity } from '../util/host.js';
import { claimDead, isLive, readRecord } from './claim.js';
import { PxeFolder } from './folder.js';
import { linkName, recordName } from './names.js';
import { formatRecord, type FoundRecord, type OwnerRecord } from './owner-record.js';
import { sweepFolder } from './sweep.js';

export type LinksOptions = {
  /** pxelinux' folder of per-machine files, `…/pxelinux.cfg`. */
  configDir: string;
  /** Text of the links: the name of the ramdisk's file in that folder. */
  target: string;
  host: Pick<Host, 'pid' | 'login' | 'now'>;
  /** The run the links belong to; by default one of its own. */
  run?: string;
};

/** `replaced`: what the link of another program pointed to that stood there before, else null. */
export type Placed = { replaced: string | null };

/**
 * Next-boot links: while its link stands, a node boots the ramdisk instead of its disk. Beside each link lies a record of
 * who placed it, written before and removed after, so a later run can tell dead runs' links from live ones. Any number of
 * processes may work in the folder. All reject with a UserError when the folder is missing, with a Failure
 * `pxe-permission` when it may not be written.
 */
export type NextBootLinks = {
  /**
   * Makes the node boot the ramdisk from now on. Rejects with a Failure `pxe-busy` when another live run holds the node,
   * `pxe-occupied` when a file or folder of that name stands there. Links of dead runs and of other programs are replaced.
   */
  place(mac: string, node: string): Promise<Placed>;
  /** Removes the link when it is ours; the record stays, and with it the node is ours. May be called any number of times. */
  unlink(mac: string): Promise<void>;
  /** Removes the link when it is ours, and our record; does nothing otherwise. May be called any number of times. */
  remove(mac: string): Promise<void>;
  /** Removes what dead runs left; returns a phrase for each thing removed. Leaves alone what is not ours to remove. */
  sweep(): Promise<string[]>;
};

/** How long a process may take to replace a dead run's record, which are a few file operations. */
const CLAIM_PATIENCE_MS = 5_000;

export function createLinks(options: LinksOptions): NextBootLinks {
  const process = processIdentity(options.host.pid);
  if (!process) throw new Error(`no process ${options.host.pid} in /proc`);
  const context: Context = {
    folder: new PxeFolder(options.configDir, process),
    process,
    target: options.target,
    run: options.run ?? randomBytes(6).toString('hex'),
    host: options.host,
  };
  return {
    place: async (mac, node) => place(context, linkName(mac), node),
    unlink: async (mac) => void (await unlink(context, linkName(mac))),
    remove: async (mac) => remove(context, linkName(mac)),
    sweep: () => sweepFolder(context.folder, process),
  };
}

type Context = { folder: PxeFolder; process: ProcessIdentity; target: string; run: string; host: LinksOptions['host'] };

async function place(context: Context, link: string, node: string): Promise<Placed> {
  const { folder, target } = context;
  const before = await own(context, link, node);
  try {
    const there = await folder.look(link);
    if (there.type === 'other') {
      throw new Failure('pxe-occupied', `${folder.path}/${link} (${node}) is not a link: somebody wrote it by hand`, 'move it away, or give the node back to whom it belongs to');
    }
    await folder.placeLink(link, target);
    return { replaced: there.type === 'link' && (!before || there.target !== target) ? there.target : null };
  } catch (error) {
    await remove(context, link).catch(() => {}); // the first error tells more
    throw error;
  }
}

/** Makes the link's record ours. True when it stood before, ours or a dead run's: the link is no other program's then. */
async function own(context: Context, link: string, node: string): Promise<boolean> {
  const { folder, host } = context;
  const name = recordName(link);
  const contents = formatRecord({
    process: context.process, run: context.run, node, login: host.login(), at: host.now(), target: context.target, nonce: randomBytes(12).toString('hex'),
  });
  const giveUpAt = performance.now() + CLAIM_PATIENCE_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
    if (await folder.create(name, contents)) return false;
    const found = await readRecord(folder, name);
    if (!found) continue;
    if (found.record && isOurs(context, found.record)) return true;
    if (isLive(found)) throw busyFailure(node, found.record);
    if (await takeOver(context, name, found, contents)) return true;
    if (performance.now() > giveUpAt) throw new Failure('pxe-busy', `${node}: its next-boot link has been in other hands for ${CLAIM_PATIENCE_MS / 1000} s`, 'try again');
    await sleep(pauseMs);
  }
}

/** Puts our record in the place of a dead run's; false when another process is at it. */
async function takeOver(context: Context, name: string, dead: FoundRecord, contents: string): Promise<boolean> {
  const { folder, process } = context;
  const release = await claimDead(folder, process, dead.token);
  if (!release) return false;
  try {
    if ((await readRecord(folder, name))?.token !== dead.token) return false;
    await folder.replace(name, contents);
    return true;
  } finally {
    await release();
  }
}

/** Removes our link; false when the node is not ours. */
async function unlink(context: Context, link: string): Promise<boolean> {
  const { folder } = context;
  const found = await readRecord(folder, recordName(link));
  if (!found?.record || !isOurs(context, found.record)) return false;
  const there = await folder.look(link);
  if (there.type === 'link' && there.target === found.record.target) await folder.remove(link);
  return true;
}

async function remove(context: Context, link: string): Promise<void> {
  if (await unlink(context, link)) await context.folder.remove(recordName(link)); // last: as long as it stands, nobody else of ours touches the link
}

function isOurs(context: Context, record: OwnerRecord): boolean {
  const { pid, startTime, bootId } = context.process;
  return record.run === context.run && record.process.pid === pid && record.process.startTime === startTime && record.process.bootId === bootId;
}

function busyFailure(node: string, holder: OwnerRecord | null): Failure {
  const who = holder ? `${holder.login} (pid ${holder.process.pid}, since ${new Date(holder.at).toISOString()})` : 'another process';
  return new Failure('pxe-busy', `${node} is in the hands of another run of ${who}`, 'wait for that run to end, or choose other nodes');
}
