import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { TelnetSession } from '../telnet/session.js';
import { Failure } from '../util/errors.js';
import { fanOut, type NodeRun } from './fan-out.js';
import type { ImageSession } from './image-session.js';
import { LoadChecks, STAMP_PATHS, type ChecksTools } from './load-checks.js';
import { inRamdisk, type RamdiskPlan, type RamdiskTools } from './ramdisk.js';
import { verifyWrite, type VerifyMode, type Verdict } from './verify-write.js';
import { waitForSystem, type SshWaitOptions } from './wait.js';
import { writeImage, type WriteOptions } from './write-image.js';

/** Everything a load needs to know; `--dry-run` prints it, `executeLoad` does exactly it. Times in milliseconds. */
export type LoadPlan = RamdiskPlan & {
  nodes: readonly InventoryNode[];
  image: { path: string; name: string; sizeBytes: number; chunkCount: number; diskBytes: number; effectiveBytes: number; actualBytes: number };
  /** Most the server sends, bits per second. */
  rateBps: number;
  verify: VerifyMode;
  untilSsh: boolean;
  nodeDeadlineMs: number;
  stallMs: number;
  /** The ramdisk's program. */
  frisbeeClient: string;
};

export type LoadTools = RamdiskTools & Pick<ChecksTools, 'run' | 'images'> & {
  emit: Emit;
  wait: SshWaitOptions;
  openSession: () => Promise<ImageSession>;
};

const CHECK_DEADLINE_MS = 10_000;

/**
 * Loads the plan's image onto its nodes, each on its own way: link, reset, telnet up, unlink, frisbee, check, read back, reset.
 * The server starts first, so a bad image costs no reset; nodes join it as they come up.
 */
export async function executeLoad(plan: LoadPlan, tools: LoadTools): Promise<Outcome<string>[]> {
  const session = await tools.openSession();
  tools.undo.push('stopping the server', () => session.stop());
  const checks = new LoadChecks(plan, tools);
  const options = { concurrency: plan.nodes.length, nodeDeadlineMs: plan.nodeDeadlineMs, firstStep: plan.reset ? 'pxe' : 'boot', describe: (text: string) => text, ...tools } as const;
  return fanOut(plan.nodes, options, (node) => loadNode(node, plan, tools, session, checks));
}

async function loadNode(node: NodeRun, plan: LoadPlan, tools: LoadTools, session: ImageSession, checks: LoadChecks): Promise<string> {
  const { verdict, text } = await inRamdisk(node, plan, tools, async (telnet) => {
    await checks.recordWriting(node);
    const written = await writeAndCheck(node, plan, telnet, session);
    const { digests } = checks;
    const { hardDrive: device, stallMs, verify: mode } = plan;
    if (digests === null || mode === 'none') return { verdict: UNVERIFIED, text: written };
    const seen = await node.at('verify', plan.nodeDeadlineMs, (signal) => verifyWrite(node, telnet, { mode, device, digests, stallMs }, signal));
    return { verdict: seen, text: `${written}; ${seen.text}` };
  });
  await checks.recordWritten(node, verdict.verified);
  if (!plan.untilSsh) return text;
  return node.at('ssh', plan.nodeDeadlineMs, async (signal) => {
    const system = await waitForSystem(node, tools.wait, STAMP_PATHS, signal);
    return `${text}; ${system.text}${await checks.checkRunning(node, system)}`;
  });
}

const UNVERIFIED: Verdict = { verified: false, text: '' };

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
