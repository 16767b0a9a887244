import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { systemCode, UserError } from './errors.js';
import { isObject, isText } from './json.js';
import { shortName, thisMachine, type Machine } from './machine.js';

/** The machine and the process we run in: everything ambient comes through here, so tests can give another one. */
export type Host = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  cwd(): string;
  home(): string;
  /** Name of the machine up to its first dot, for people; never empty, and fit for file names. */
  shortHostname(): string;
  /** Which machine this is, for programs. */
  machine(): Machine;
  login(): string;
  uid(): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds on a clock that never jumps. */
  monotonicMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  spawn: typeof spawn;
};

export const systemHost: Host = {
  env: process.env,
  pid: process.pid,
  cwd: () => {
    try {
      return process.cwd();
    } catch (cause) {
      throw new UserError('environment', 'the current folder is gone', 'cd to another one', { cause });
    }
  },
  home: () => process.env.HOME ?? homedir(),
  shortHostname: () => shortName(hostname()),
  machine: thisMachine,
  login: () => (login ??= loginName()),
  uid: () => process.getuid?.() ?? 0,
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  spawn,
};

let login: string | null = null;

/** As the name service says, which may ask another machine. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown'); // a uid without a passwd entry, as in containers
  }
}

/** Who a process is, told apart from a later one with the same pid: pid, start time (clock ticks since boot) and boot id. */
export type ProcessIdentity = { pid: number; startTime: string; bootId: string };

export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  return isObject(value) && Number.isSafeInteger(value.pid) && isText(value.startTime) && isText(value.bootId);
}

/** The identity of a live process, or null when there is none. Linux only (/proc). */
export function processIdentity(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the command name, in parentheses, may hold blanks: count fields after its end. Field 3 is the state, 22 the start time
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    return { pid, startTime: fields[19] ?? '', bootId: thisMachine().bootId };
  } catch {
    return null;
  }
}

/** Whether the very process that wrote `identity` still runs; it must have been of our pid namespace. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identity.bootId === thisMachine().bootId && lookUp(identity) !== 'gone'; // hidden: better one too many than one too few
}

/** What /proc says of a process of this boot and our pid namespace; `hidden`: some process has its pid, and is not shown to us. */
export function lookUp({ pid, startTime }: Pick<ProcessIdentity, 'pid' | 'startTime'>): 'runs' | 'gone' | 'hidden' {
  const now = processIdentity(pid);
  if (now === null) return isHidden(pid) ? 'hidden' : 'gone'; // somebody else's, behind hidepid
  return now.startTime === startTime ? 'runs' : 'gone';
}

function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
