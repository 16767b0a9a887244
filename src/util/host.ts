import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { systemCode, UserError } from './errors.js';

/** The machine and the process we run in: everything ambient comes through here, so tests can give another one. */
export type Host = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  cwd(): string;
  home(): string;
  /** Name of the machine up to its first dot, fit for a file name; never empty. */
  shortHostname(): string;
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
  login: () => {
    try {
      return userInfo().username;
    } catch {
      return String(process.getuid?.() ?? 'unknown'); // a uid without a passwd entry, as in containers
    }
  },
  uid: () => process.getuid?.() ?? 0,
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  spawn,
};

/** A machine's first label, fit for file names and records whatever somebody has called the machine: never empty, no slash, no blank. */
export function shortName(hostname: string): string {
  const [first] = hostname.split('.').filter((label) => label !== '');
  return first?.replace(/[^\p{L}\p{N}_-]/gu, '-') ?? 'localhost';
}

/** Who a process is, told apart from a later one with the same pid: pid, start time (clock ticks since boot) and boot id. */
export type ProcessIdentity = { pid: number; startTime: string; bootId: string };

/** The identity of a live process, or null when there is none. Linux only (/proc). */
export function processIdentity(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the command name, in parentheses, may hold blanks: count fields after its end. Field 3 is the state, 22 the start time
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    return { pid, startTime: fields[19] ?? '', bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() };
  } catch {
    return null;
  }
}

/** Whether the very process that wrote `identity` still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = processIdentity(identity.pid);
  if (now === null && isHidden(identity.pid)) return true; // somebody else's, behind hidepid: better one too many than one too few
  return now !== null && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
