import { parseSystemStamp } from '../../ssh/boot-stamp.js';
import type { SshLogin } from '../../ssh/login.js';
import { printable } from '../../util/text.js';
import type { NodeFacts } from '../../events/node-view.js';

/** One command for all: which boot this is, which system, which image. Files that a system does not have are left out. */
const COMMAND = 'cat /proc/sys/kernel/random/boot_id /proc/uptime /etc/os-release /etc/imaging-image /etc/rhubarbe-image';
const MAX_FACT_CHARS = 200;

export type SystemFacts = Pick<NodeFacts, 'osRelease' | 'image' | 'bootId'> & {
  /** When it booted, by our clock. */ bootedAt: number | null;
};

/** Asks over a login; rejects as `sshExec` does. `now`: milliseconds since 1970. */
export async function askSystem(login: Pick<SshLogin, 'exec'>, now: () => number): Promise<SystemFacts> {
  const { stdout } = await login.exec(COMMAND);
  return parseSystem(stdout, now());
}

/** Understands what the command printed. Lines of os-release are assignments; what else there is comes from the stamp. */
export function parseSystem(text: string, nowMs: number): SystemFacts {
  const { boot: stamp, text: files } = parseSystemStamp(text);
  const lines = (stamp === null ? text : files).split(/\r?\n/).map((line) => line.trim());
  const rest = lines.filter((line) => line !== '');
  const isAssignment = (line: string): boolean => /^[A-Z][A-Z0-9_]*=/.test(line) || line.startsWith('#');
  const value = (name: string): string | undefined => rest.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
  const name = value('PRETTY_NAME') ?? value('NAME');
  return {
    bootId: stamp?.bootId ?? null,
    bootedAt: stamp === null ? null : Math.round((nowMs - stamp.uptimeMs) / 1000) * 1000,
    osRelease: name === undefined ? null : shortened(name.replace(/^(["'])(.*)\1$/, '$2')),
    image: shortened(rest.filter((line) => !isAssignment(line)).at(-1) ?? ''),
  };
}

function shortened(text: string): string | null {
  const clean = printable(text).trim();
  return clean === '' ? null : clean.slice(0, MAX_FACT_CHARS);
}
