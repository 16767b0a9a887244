import { execFile } from 'node:child_process';
import { findProgram } from './files.js';

const SHOWN = 5;
const TIMEOUT_MS = 3_000;
const PLACES = '/usr/sbin:/sbin:/usr/bin:/bin';

/** The rules of this machine's firewall that throw packets away, as nft and iptables write them; null when they cannot be listed. */
export async function firewallRules(): Promise<string[] | null> {
  const lists = await Promise.all([output('nft', ['list', 'ruleset']), output('iptables', ['-S'])]);
  if (lists.every((list) => list === null)) return null;
  const rules = lists
    .flatMap((list) => (list ?? '').split('\n'))
    .map((line) => line.trim())
    .filter((line) => /\b(drop|reject)\b/i.test(line));
  const seen = [...new Set(rules)];
  return seen.length <= SHOWN ? seen : [...seen.slice(0, SHOWN), `and ${seen.length - SHOWN} more`];
}

/** What a program prints, or null when it cannot be run, or fails: only root may list rules. */
async function output(name: string, args: readonly string[]): Promise<string | null> {
  const program = await findProgram(name, PLACES);
  if (program === null) return null;
  return new Promise((resolve) => {
    execFile(program, args, { timeout: TIMEOUT_MS, maxBuffer: 16 << 20, killSignal: 'SIGKILL' }, (error, stdout) =>
      resolve(error ? null : stdout),
    );
  });
}
