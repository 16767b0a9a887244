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
  host: Pick<Host, 'pid' | 'login' | 'now' | 'shortHostname'>;
  /** The run the links belong to; by default one of its own. */
  run?: string;
};

/** `replaced`: what the link of another program pointed to that stood there before, else null. */
export type Placed = { replaced: string | null };

/** Who holds a node. `at` in milliseconds since 1970. */
export type Holder = Pick<OwnerRecord, 'login' | 'run' | 'host' | 'at'> & { pid: number };

/**
 * Nodes and their next-boot links: while its link stands, a node boots the ramdisk instead of its disk. Beside it lies a
 * record of who holds the node, made before anything is done to it and removed after everything: one run works on a node
 * at a time, and a later one can tell dead runs' records and links from live ones. Any number of processes may work in
 * the folder, of several machines when it is shared. All reject with a UserError when the folder is missing, with a
 * Failure `pxe-permission` when it may not be written.
 */
export type NextBootLinks = {
  /** Makes the node ours until `release`. Rejects with a Failure `node-busy` that names the holder when another live run has it. */
  claim(mac: string, node: string): Promise<void>;
  /**
   * Makes the node boot the ramdisk from now on; claims it first when it is not ours. Rejects with a Failure `pxe-occupied`
   * when a file or folder of that name stands there. Links of dead runs and of other programs are replaced.
   */
  place(mac: string, node: string): Promise<Placed>;
  /** Removes the link when it is ours; the node stays ours. May be called any number of times. */
  unlink(mac: string): Promise<void>;
  /** Removes the link when it is ours, and gives the node up; does nothing otherwise. May be called any number of times. */
  release(mac: string): Promise<void>;
  /** The other live run that holds a node; null when there is none, or the folder cannot be read. */
  holder(mac: string): Promise<Holder | null>;
  /** Shows on our records that we are still there: for runs on other machines, which cannot look for our process. */
  beat(): Promise<void>;
  /** Removes what dead runs left; returns a phrase for each thing removed. Leaves alone what is not ours to remove. */
  sweep(): Promise<string[]>;
};

/** How long a process may take to replace a dead run's record, which are a few file operations. */
const CLAIM_PATIENCE_MS = 5_000;
/** How often `beat` wants to be called. */
export const BEAT_MS = 20_000;

export function createLinks(options: LinksOptions): NextBootLinks {
  const process = processIdentity(options.host.pid);
  if (!process) throw new Error(`no process ${options.host.pid} in /proc`);
  const context: Context = {
    folder: new PxeFolder(options.configDir, process),
    process,
    target: options.target,
    run: options.run ?? randomBytes(6).toString('hex'),
    host: options.host,
    held: new Set(),
  };
  return {
    claim: async (mac, node) => void (await own(context, linkName(mac), node)),
    place: async (mac, node) => place(context, linkName(mac), node),
    unlink: async (mac) => void (await unlink(context, linkName(mac))),
    release: async (mac) => release(context, linkName(mac)),
    holder: async (mac) => holder(context, linkName(mac)),
    beat: async () => {
      for (const name of context.held) await context.folder.touch(name);
    },
    sweep: () => sweepFolder(context.folder, process, options.host),
  };
}

type Context = { folder: PxeFolder; process: ProcessIdentity; target: string; run: string; host: LinksOptions['host']; /** Names of our records. */ held: Set<string> };

async function place(context: Context, link: string, node: string): Promise<Placed> {
  const { folder, target } = context;
  const found = await own(context, link, node);
  try {
    const there = await folder.look(link);
    if (there.type === 'other') {
      throw new Failure('pxe-occupied', `${folder.path}/${link} (${node}) is not a link: somebody wrote it by hand`, 'move it away, or give the node back to whom it belongs to');
    }
    await folder.placeLink(link, target);
    return { replaced: there.type === 'link' && (found === 'new' || there.target !== target) ? there.target : null };
  } catch (error) {
    if (found !== 'ours') await release(context, link).catch(() => {}); // the first error tells more
    throw error;
  }
}

/** Makes the link's record ours; tells what stood there before: nothing, our own, or a dead run's (then the link is no other program's). */
async function own(context: Context, link: string, node: string): Promise<'new' | 'ours' | 'dead'> {
  const { folder, host } = context;
  const name = recordName(link);
  const contents = formatRecord({
    process: context.process, host: host.shortHostname(), run: context.run, node, login: host.login(), at: host.now(), target: context.target, nonce: randomBytes(12).toString('hex'),
  });
  const giveUpAt = performance.now() + CLAIM_PATIENCE_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
    if (await folder.create(name, contents)) return hold(context, name, 'new');
    const found = await readRecord(folder, name);
    if (!found) continue;
    if (found.record && isOurs(context, found.record)) return 'ours';
    if (isLive(found, host)) throw busyFailure(node, found.record);
    if (await takeOver(context, name, found, contents)) return hold(context, name, 'dead');
    if (performance.now() > giveUpAt) throw new Failure('node-busy', `${node}: the record of who holds it has been in other hands for ${CLAIM_PATIENCE_MS / 1000} s`, 'try again');
    await sleep(pauseMs);
  }
}

function hold<T>({ held }: Context, name: string, found: T): T {
  held.add(name);
  return found;
}

async function holder(context: Context, link: string): Promise<Holder | null> {
  try {
    const found = await readRecord(context.folder, recordName(link));
    if (!found?.record || isOurs(context, found.record) || !isLive(found, context.host)) return null;
    const { login, run, host, at, process } = found.record;
    return { login, run, host, at, pid: process.pid };
  } catch {
    return null;
  }
}

/** Puts our record in the place of a dead run's; false when another process is at it. */
async function takeOver(context: Context, name: string, dead: FoundRecord, contents: string): Promise<boolean> {
  const { folder, process, host } = context;
  const release = await claimDead(folder, process, host, dead.token);
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

async function release(context: Context, link: string): Promise<void> {
  const name = recordName(link);
  if (await unlink(context, link)) await context.folder.remove(name); // last: as long as it stands, nobody else of ours touches the link
  context.held.delete(name);
}

function isOurs(context: Context, record: OwnerRecord): boolean {
  const { pid, startTime, bootId } = context.process;
  return record.run === context.run && record.process.pid === pid && record.process.startTime === startTime && record.process.bootId === bootId;
}

function busyFailure(node: string, record: OwnerRecord | null): Failure {
  if (!record) return new Failure('node-busy', `${node} is in the hands of another process`, 'try again');
  return new Failure('node-busy', `${node} is in the hands of ${holderPhrase({ ...record, pid: record.process.pid })}`, 'wait for that run to end (--wait-lock does), or choose other nodes');
}

/** `run 2026… of alice (pid 4711 on faraday, since 2026-11-21T01:16:02.000Z)`. */
export function holderPhrase({ run, login, pid, host, at }: Holder): string {
  return `run ${run} of ${login} (pid ${pid}${host === '' ? '' : ` on ${host}`}, since ${new Date(at).toISOString()})`;
}
