import { sshExec, type LoginOptions } from './login.js';

/** Which boot of a machine answered: `bootId` is new at every boot, `uptimeMs` says how long ago that was. */
export type BootStamp = { bootId: string; uptimeMs: number };

/** What one login tells of a system: its boot (null when it is not Linux), and the text of the files that were asked for, one after the other. */
export type SystemStamp = { boot: BootStamp | null; text: string };

const COMMAND = 'cat /proc/sys/kernel/random/boot_id /proc/uptime';

/** Logs in and reads the boot stamp; null when the system has none (not Linux). Rejects as `sshExec` does. */
export async function bootStamp(options: LoginOptions): Promise<BootStamp | null> {
  return (await systemStamp(options, [])).boot;
}

/**
 * Logs in once, and reads the boot stamp and then `files` (absolute paths of plain characters); those that are not there
 * are left out. Rejects as `sshExec` does.
 */
export async function systemStamp(options: LoginOptions, files: readonly string[]): Promise<SystemStamp> {
  const { stdout } = await sshExec(options, [COMMAND, ...files].join(' '));
  return parseSystemStamp(stdout);
}

/** Parses what the command prints; whatever else a login prints before is skipped, be it whole lines or not. */
export function parseBootStamp(text: string): BootStamp | null {
  return parseSystemStamp(text).boot;
}

/** As `parseBootStamp`, with what follows. Without a boot stamp nobody knows what is a file's and what a login's: no text then. */
export function parseSystemStamp(text: string): SystemStamp {
  const found = /([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\r?\n(\d+(?:\.\d+)?)[ \t][^\n]*(?:\n|$)/.exec(text);
  if (!found?.[1] || !found[2]) return { boot: null, text: '' };
  return { boot: { bootId: found[1], uptimeMs: Math.round(Number(found[2]) * 1000) }, text: text.slice(found.index + found[0].length) };
}
