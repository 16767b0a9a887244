import type { ChildProcess } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { sleep, withDeadline } from '../../util/abort.js';
import type { ChildRecords } from '../../runs/children.js';
import { messageOf, systemCode, UserError } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import type { ImageSession, SessionOptions } from './image-session.js';
import { fail } from '../failures.js';

/** frisbeed's exit code when its port is taken (EADDRINUSE). */
const ADDRESS_IN_USE = 98;
const START_DEADLINE_MS = 10_000;

export type FrisbeedProgram = {
  path: string;
  options: readonly string[];
  host: Host /** So that a later command can end the process should we be killed. */;
  children: Pick<ChildRecords, 'prepare'>;
};

/**
 * Runs the site's own `frisbeed -i IP -W BPS IMAGE <options> -m GROUP -p PORT`. Whether it started is seen, not slept
 * for: it has when it holds its UDP port, it has not when it exits; exit code 98 means the slot is taken, so the next is tried.
 */
export async function startFrisbeedSession(options: SessionOptions, program: FrisbeedProgram): Promise<ImageSession> {
  for (const slot of options.slots) {
    const session = await startOnSlot(options, program, slot);
    if (session) return session;
  }
  throw new UserError(
    'environment',
    `no free slot for ${program.path}: all ${options.slots.length} ports from ${options.slots[0]?.port} are taken`,
    'wait for other loads to end, or raise networking.pattern_size',
  );
}

async function startOnSlot(
  options: SessionOptions,
  program: FrisbeedProgram,
  slot: { group: string; port: number },
): Promise<ImageSession | null> {
  const args = [
    '-i',
    options.localIp,
    '-W',
    String(options.rateBps),
    options.imagePath,
    ...program.options,
    '-m',
    slot.group,
    '-p',
    String(slot.port),
  ];
  const { env, remember } = program.children.prepare();
  const child = program.host.spawn(program.path, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...program.host.env, ...env } });
  const words = keepLastWords(child);
  const ended = new Promise<{ code: number | null; error: Error | null }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, error }));
    child.once('exit', (code) => resolve({ code, error: null }));
  });
  let forget = async (): Promise<void> => {};
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL'); // what frisbeed does on SIGTERM (statistics, exit 0) nobody reads
    await ended;
    await forget();
  };
  let end: Awaited<typeof ended> | null;
  try {
    if (child.pid !== undefined) forget = await remember(child.pid);
    const late = (): UserError =>
      new UserError(
        'environment',
        `${program.path} neither holds UDP port ${slot.port} nor has ended after ${START_DEADLINE_MS / 1000} s`,
        'frisbee.server must be frisbeed itself, not a script around it',
      );
    end = await withDeadline(options.signal, START_DEADLINE_MS, late, (signal) =>
      Promise.race([ended, holdsPort(child.pid ?? 0, slot.port, signal).then(() => null)]),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  if (end === null) return runningSession(options, slot, { ended, stop, words });
  await forget();
  if (end.code === ADDRESS_IN_USE) return null;
  throw startError(program.path, end, words());
}

function runningSession(
  options: SessionOptions,
  slot: { group: string; port: number },
  process: { ended: Promise<{ code: number | null }>; stop: () => Promise<void>; words: () => string },
): ImageSession {
  options.emit({ type: 'server.started', engine: 'frisbeed', ...slot, rateBps: options.rateBps, image: options.imagePath });
  let stopped = false;
  const failed = process.ended.then(({ code }): Promise<never> => {
    if (stopped) return new Promise(() => {});
    throw fail(
      'server-ended',
      `frisbeed ended with code ${code} while nodes were being loaded${process.words() === '' ? '' : `: ${process.words()}`}`,
      'run it by hand with -d to see why, or set frisbee.engine = embedded',
    );
  });
  failed.catch(() => {});
  return {
    ...slot,
    lastHeardMs: () => null,
    failed,
    stop: async () => {
      if (stopped) return;
      stopped = true;
      await process.stop();
      options.emit({ type: 'server.stopped', port: slot.port, sentBlocks: 0, repeatedBlocks: 0 });
    },
  };
}

function startError(path: string, end: { code: number | null; error: Error | null }, words: string): UserError {
  if (end.error && systemCode(end.error) === 'ENOENT')
    return new UserError(
      'environment',
      `frisbee.server: there is no program ${path}`,
      'install frisbeed, or set frisbee.engine = embedded',
    );
  if (end.error) return new UserError('environment', `${path}: ${messageOf(end.error)}`);
  return new UserError(
    'environment',
    `${path} ended at once with code ${end.code}${words === '' ? '' : `: ${words}`}`,
    'run it by hand with -d to see why',
  );
}

/** The last 500 characters a child has said; its pipes must be read, or a chatty one blocks. */
function keepLastWords(child: ChildProcess): () => string {
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-500)));
  return () => words.trim();
}

/** Resolves once process `pid` holds a UDP socket bound to `port` (Linux: its /proc entries tell). */
async function holdsPort(pid: number, port: number, signal: AbortSignal): Promise<void> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (;;) {
    await sleep(5, signal);
    const inodes = new Set(await socketInodes(pid));
    const table = await readFile(`/proc/${pid}/net/udp`, 'latin1').catch(() => '');
    const bound = table.split('\n').some((line) => {
      const fields = line.trim().split(/\s+/);
      return fields[1]?.endsWith(suffix) === true && inodes.has(fields[9] ?? '');
    });
    if (bound) return;
  }
}

async function socketInodes(pid: number): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}
