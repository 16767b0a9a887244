import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { TelnetSession } from '../telnet/session.js';
import { Failure } from '../util/errors.js';
import { fanOut, type NodeRun } from './fan-out.js';
import type { ImageSession } from './image-session.js';
import { inRamdisk, type RamdiskPlan, type RamdiskTools } from './ramdisk.js';
import { waitForSsh, type SshWaitOptions } from './wait.js';
import { writeImage, type WriteOptions } from './write-image.js';

/** Everything a load needs to know; `--dry-run` prints it, `executeLoad` does exactly it. Times in milliseconds. */
export type LoadPlan = RamdiskPlan & {
  nodes: readonly InventoryNode[];
  image: { path: string; sizeBytes: number; chunkCount: number; diskBytes: number; effectiveBytes: number; actualBytes: number };
  /** Most the server sends, bits per second. */
  rateBps: number;
  untilSsh: boolean;
  nodeDeadlineMs: number;
  stallMs: number;
  /** The ramdisk's program. */
  frisbeeClient: string;
};

export type LoadTools = RamdiskTools & {
  emit: Emit;
  wait: SshWaitOptions;
  openSession: () => Promise<ImageSession>;
};

const CHECK_DEADLINE_MS = 10_000;

/**
 * Loads the plan's image onto its nodes, each on its own way: link, reset, telnet up, unlink, frisbee, check, reset.
 * The server starts first, so a bad image costs no reset; nodes join it as they come up.
 */
export async function executeLoad(plan: LoadPlan, tools: LoadTools): Promise<Outcome<string>[]> {
  const session = await tools.openSession();
  tools.undo.push('stopping the server', () => session.stop());
  const options = { concurrency: plan.nodes.length, nodeDeadlineMs: plan.nodeDeadlineMs, firstStep: plan.reset ? 'pxe' : 'boot', describe: (text: string) => text, ...tools } as const;
  return fanOut(plan.nodes, options, (node) => loadNode(node, plan, tools, session));
}

async function loadNode(node: NodeRun, plan: LoadPlan, tools: LoadTools, session: ImageSession): Promise<string> {
  const written = await inRamdisk(node, plan, tools, (telnet) => writeAndCheck(node, plan, telnet, session));
  if (!plan.untilSsh) return written;
  return `${written}; ${await node.at('ssh', plan.nodeDeadlineMs, (signal) => waitForSsh(node, tools.wait, signal))}`;
}

async function writeAndCheck(node: NodeRun, plan: LoadPlan, telnet: TelnetSession, session: ImageSession): Promise<string> {
  const options: WriteOptions = { program: plan.frisbeeClient, device: plan.hardDrive, stallMs: plan.stallMs, imageChunks: plan.image.chunkCount, session };
  const startedMs = node.host.monotonicMs();
  const result = await node.at('write', plan.nodeDeadlineMs, (signal) => Promise.race([writeImage(node, telnet, options, signal), session.failed]));
  const elapsedS = Math.max(0.001, (node.host.monotonicMs() - startedMs) / 1000);
  await node.at('check', CHECK_DEADLINE_MS, async () => {
    const { effectiveBytes, actualBytes } = plan.image;
    if (result.effectiveBytes === effectiveBytes && result.actualBytes === actualBytes) return;
    throw new Failure(
      'short-write',
      `frisbee on ${node.name} reported ${result.effectiveBytes} bytes (${result.actualBytes} actual), the image holds ${effectiveBytes} (${actualBytes} actual)`,
      "is the node's disk smaller than the image? its log has frisbee's own words",
    );
  });
  return `${(plan.image.actualBytes / 1e6).toFixed(1)} MB written at ${(plan.image.actualBytes / 1e6 / elapsedS).toFixed(1)} MB/s`;
}
