import { readFile } from 'node:fs/promises';
import { ok, problem, skipped, warning, type Check, type Finding } from '../finding.js';

/** The oldest Node.js that imaging runs on. */
const NEEDED: readonly [major: number, minor: number] = [20, 19];
/** Per node: power card, telnet, ssh, transcript; and what a process has open anyway. */
const FILES_PER_NODE = 4;
const FILES_BESIDES = 100;

export const nodeVersion = {
  name: 'node',
  needs: 'nothing',
  run: async () => [versionFinding(process.versions.node)],
} satisfies Check;

export function versionFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return ok(`Node.js ${version}`);
  return problem(
    `Node.js ${version} is too old`,
    `imaging needs ${NEEDED.join('.')} or later`,
    'install a later nodejs, or put one first in PATH; docs/installing.md says how',
  );
}

export const openFiles = {
  name: 'open-files',
  needs: 'nothing',
  run: async ({ nodeCount }) => [filesFinding(await readFile('/proc/self/limits', 'utf8').catch(() => ''), nodeCount)],
} satisfies Check;

/** `limits` as /proc/self/limits has them. Node.js raises its soft limit to the hard one by itself. */
export function filesFinding(limits: string, nodeCount: number): Finding {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  if (hard === undefined) return skipped('this system does not say how many files a process may open');
  if (nodeCount === 0) return ok(`${hard} allowed`); // no inventory: said there
  const needed = FILES_PER_NODE * nodeCount + FILES_BESIDES;
  if (hard === 'unlimited' || Number(hard) >= needed) return ok(`${hard} allowed, ${needed} needed for all ${nodeCount} nodes`);
  return warning(
    `a process may open ${hard} files; all ${nodeCount} nodes at once take about ${needed}`,
    'each node takes connections to its card, telnet and ssh, and a log',
    `ulimit -Hn ${needed} as root, or a line in /etc/security/limits.conf: * hard nofile ${needed}`,
  );
}
