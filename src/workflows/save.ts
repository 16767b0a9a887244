import { link, rm } from 'node:fs/promises';
import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import { verifyImage } from '../ndz/reader.js';
import type { TelnetSession } from '../telnet/session.js';
import { Failure, systemCode } from '../util/errors.js';
import { inAttempts, type RetryPlan } from './attempts.js';
import { openCollector } from './collector.js';
import { fanOut, type NodeRun } from './fan-out.js';
import { holding } from './hold.js';
import { inRamdisk, type RamdiskPlan, type RamdiskTools } from './ramdisk.js';

/** Everything a save needs to know. Times in milliseconds. */
export type SavePlan = RamdiskPlan & RetryPlan & {
  nodes: readonly InventoryNode[];
  /** Where each node's image goes; nothing has that name until the image is whole and checked. */
  pathOf: (node: string) => string;
  localIp: string;
  nodeDeadlineMs: number;
  stallMs: number;
  /** The ramdisk's programs. */
  imagezip: string;
  netcat: string;
};

export type SaveTools = RamdiskTools & { emit: Emit };

export type SavedImage = { bytes: number; path: string };

/** Saves the disks of the plan's nodes, each into a file of its own: link, reset, telnet up, imagezip, check, reset. */
export function executeSave(plan: SavePlan, tools: SaveTools): Promise<Outcome<SavedImage>[]> {
  const options = { concurrency: plan.nodes.length, nodeDeadlineMs: plan.nodeDeadlineMs, firstStep: 'lock', describe: ({ bytes, path }: SavedImage) => `${(bytes / 1e6).toFixed(1)} MB in ${path}`, ...tools } as const;
  return fanOut(plan.nodes, options, (node) => holding(node, tools, () => inAttempts(node, plan, () => true, (tried, attempt) => inRamdisk(tried, plan, tools, (telnet) => saveNode(tried, plan, tools, telnet), attempt))));
}

async function saveNode(node: NodeRun, plan: SavePlan, tools: SaveTools, telnet: TelnetSession): Promise<SavedImage> {
  const path = plan.pathOf(node.name);
  const partial = `${path}.partial`;
  let collecting: Promise<unknown> = Promise.resolve();
  const discard = tools.undo.push(`removing ${partial}`, async () => {
    await collecting.catch(() => {}); // an interrupt does not wait for it, and the file must not appear after its removal
    await rm(partial, { force: true });
  });
  try {
    const bytes = await node.at('read', plan.nodeDeadlineMs, (signal) => {
      const bytesOf = collect(node, plan, telnet, partial, signal);
      collecting = bytesOf;
      return bytesOf;
    });
    const saved = await node.at('check', plan.nodeDeadlineMs, async (signal) => {
      await verifyImage(partial, { signal });
      return linkUnderFreeName(partial, path);
    });
    return { bytes, path: saved };
  } finally {
    await discard();
  }
}

async function collect(node: NodeRun, plan: SavePlan, telnet: TelnetSession, partial: string, signal: AbortSignal): Promise<number> {
  const { localIp } = plan;
  let lastWords = '';
  const collector = await openCollector({ localIp, nodeIp: node.node.control.ip, path: partial, signal, onBytes: (total) => node.progress(total, 0) });
  try {
    // a pipe's status is its last program's: imagezip's own goes around it, through file descriptor 3
    const command = `[ "$( { { ${plan.imagezip} -o -z1 ${plan.hardDrive} - ; echo $? >&3 ; } | ${plan.netcat} ${localIp} ${collector.port} >/dev/null ; } 3>&1 )" = 0 ]`;
    const onLine = (line: string): void => {
      if (line.trim() !== '') lastWords = line.trim();
    };
    const { status } = await Promise.race([telnet.run(command, { signal, onLine, silenceTimeoutMs: plan.stallMs }), collector.failed]);
    if (status !== 0) throw new Failure('imagezip-failed', `imagezip on ${node.name} failed; its last words: ${JSON.stringify(lastWords.slice(0, 200))}`, "the node's log has its whole output");
    return await collector.received;
  } finally {
    await collector.close();
  }
}

/** Gives a file the wanted name, or that with `-2`, `-3` … when there is one already: no image is ever overwritten. */
async function linkUnderFreeName(file: string, wanted: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const path = n === 1 ? wanted : wanted.replace(/(\.ndz)?$/, (suffix) => `-${n}${suffix}`);
    try {
      await link(file, path);
      return path;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
  }
}
