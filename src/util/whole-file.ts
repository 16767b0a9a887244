import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileCalls, writeAll } from './file-calls.js';
import { HeldFolder } from './held-folder.js';
import { processIdentity, systemHost } from './host.js';
import { thisMachine } from './machine.js';

/** `mode` is what a new file gets before the umask. `sync`: it is on the medium when the call is over. `follow`: see `HeldFolder.open`. */
export type WholeFileOptions = { mode?: number; sync?: boolean; follow?: boolean };

/**
 * Writes a file whole or not at all: beside its place, under a name that nobody can foresee and that is never followed,
 * then renamed. Throws the system's error; nothing is left then.
 */
export function writeWholeSync(path: string, text: string, { mode = 0o666, sync = true, follow = true }: WholeFileOptions = {}): void {
  const folder = HeldFolder.open(dirname(path), { follow });
  const temporary = folder.at(unfinishedName(basename(path)));
  try {
    const fd = openSync(temporary, 'wx', mode);
    try {
      writeAllSync(fd, Buffer.from(text));
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, folder.at(basename(path)));
    if (sync) folder.syncNow();
  } catch (error) {
    rmSync(temporary, { force: true });
    throw plainly(folder, error);
  } finally {
    folder.close();
  }
}

/** `writeWholeSync`, off the event loop. */
export async function writeWhole(
  path: string,
  text: string,
  { mode = 0o666, sync = true, follow = true }: WholeFileOptions = {},
): Promise<void> {
  const folder = HeldFolder.open(dirname(path), { follow });
  const calls = fileCalls(dirname(path));
  const temporary = folder.at(unfinishedName(basename(path)));
  try {
    const fd = await calls.open(temporary, 'wx', mode);
    try {
      await writeAll(calls, fd, Buffer.from(text));
      if (sync) await calls.fsync(fd);
    } finally {
      await calls.close(fd);
    }
    await calls.rename(temporary, folder.at(basename(path)));
    if (sync) await folder.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw plainly(folder, error);
  } finally {
    folder.close();
  }
}

/** Writes all bytes at the end of where `fd` stands: one call may write less than it was given. Throws the system's error. */
export function writeAllSync(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; ) done += writeSync(fd, bytes, done);
}

function plainly(folder: HeldFolder, error: unknown): unknown {
  if (error instanceof Error) error.message = folder.plain(error.message);
  return error;
}

/** Where, process and its start, then something random. */
const UNFINISHED = /^\.(.+)\.([0-9a-f]{8})-(\d+)-(\d+)\.[0-9a-f]+\.tmp$/;
/** What nobody has written to for so long is nobody's any more, on whichever machine that was. */
const FORGOTTEN_MS = 24 * 3600 * 1000;

/** So much of a name goes into an unfinished one, in bytes: with the rest it still has to be one of 255. */
export const UNFINISHED_KEEPS_BYTES = 200;

/** What says in a name that this process writes the file. */
let ours: string | null = null;

/**
 * The hidden name beside `name` under which a file is written until it is complete. It tells whose it is, for
 * `unfinishedIn`; of a long name it has the first 200 bytes.
 */
export function unfinishedName(name: string): string {
  ours ??= `${here()}-${systemHost.pid}-${processIdentity(systemHost.pid)?.startTime ?? 0}`;
  return `.${shortened(name)}.${ours}.${randomBytes(8).toString('hex')}.tmp`;
}

/** The name that an unfinished file is to have (of a long one the first 200 bytes); null when it is no unfinished file. */
export function finishedName(unfinished: string): string | null {
  return UNFINISHED.exec(unfinished)?.[1] ?? null;
}

/**
 * Paths of the unfinished files in a folder that nobody is writing any more: their process, of this boot and pid namespace, is
 * gone, or they have not changed for a day. `name`: only those of that file. None where the folder cannot be read.
 */
export function unfinishedIn(folder: string, nowMs: number, name?: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // what is wrong with the folder is told when a file is made in it
  }
  return names
    .filter((each) => {
      const [, of, where, pid, startTime] = UNFINISHED.exec(each) ?? [];
      if (of === undefined || (name !== undefined && of !== shortened(name))) return false;
      if (where === here() && startTime !== '0') return processIdentity(Number(pid))?.startTime !== startTime;
      const touchedMs = statSync(`${folder}/${each}`, { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
      return nowMs - touchedMs > FORGOTTEN_MS;
    })
    .map((each) => `${folder}/${each}`);
}

/** Where process numbers are the ones that we can look up, as eight hex digits. */
function here(): string {
  const { bootId, pidNamespace } = thisMachine();
  return createHash('sha256').update(`${bootId} ${pidNamespace}`).digest('hex').slice(0, 8);
}

function shortened(name: string): string {
  const bytes = Buffer.from(name);
  return bytes.length <= UNFINISHED_KEEPS_BYTES ? name : bytes.toString('utf8', 0, UNFINISHED_KEEPS_BYTES).replace(/\ufffd+$/, '');
}
