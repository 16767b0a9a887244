import { sshExec, type LoginOptions } from './login.js';

/** Which boot of a machine answered: `bootId` is new at every boot, `uptimeMs` says how long ago that was. */
export type BootStamp = { bootId: string; uptimeMs: number };

const COMMAND = 'cat /proc/sys/kernel/random/boot_id /proc/uptime';

/** Logs in and reads the boot stamp; null when the system has none (not Linux). Rejects as `sshExec` does. */
export async function bootStamp(options: LoginOptions): Promise<BootStamp | null> {
  const { stdout } = await sshExec(options, COMMAND);
  return parseBootStamp(stdout);
}

/** Parses what the command prints; whatever else a login prints before is skipped. */
export function parseBootStamp(text: string): BootStamp | null {
  const found = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\r?\n(\d+(?:\.\d+)?)[ \t]/m.exec(text);
  if (!found?.[1] || !found[2]) return null;
  return { bootId: found[1], uptimeMs: Math.round(Number(found[2]) * 1000) };
}
