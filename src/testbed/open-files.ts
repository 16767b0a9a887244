import { readFileSync } from 'node:fs';
import { UserError } from '../util/errors.js';

/** Three listeners and a client's connection per node, and what Node.js and the images need. */
function descriptorsNeeded(count: number): number {
  return 4 * count + 100;
}

/** Throws a UserError (environment) when a process of this user may not open enough files for `count` nodes. */
export function checkOpenFiles(count: number, limit: number | null = hardLimit()): void {
  const needed = descriptorsNeeded(count);
  if (limit === null || limit >= needed) return;
  throw new UserError(
    'environment',
    `${count} emulated nodes need ${needed} open files, and the limit here is ${limit}`,
    `raise it (ulimit -Hn, or nofile in /etc/security/limits.conf), or ask for at most ${Math.floor((limit - 100) / 4)} nodes`,
  );
}

/** The hard limit on open files (Node.js raises the soft one to it), or null when there is none or it cannot be read. */
function hardLimit(): number | null {
  try {
    const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return hard === undefined ? null : Number(hard);
  } catch {
    return null;
  }
}
