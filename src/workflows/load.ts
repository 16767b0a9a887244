import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { NextBootLinks } from '../pxe/links.js';
import { openTelnet, type TelnetSession } from '../telnet/session.js';
import { Failure } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { UndoStack } from '../util/undo.js';
import { ensureReset, type ResetTools } from './ensure-reset.js';
import { fanOut, type NodeRun } from './fan-out.js';
import type { ImageSession } from './image-session.js';
import { pollUntilFalse, takeLiveness, tcpAnswers, type LivenessOptions, type Sign } from './liveness.js';
import { retrying, waitForSsh, type WaitOptions } from './wait.js';
import { writeImage, type WriteOptions } from './write-image.js';

/** Everything a load needs to know; `--dry-run` prints it, `executeLoad` does exactly it. */
export type LoadPlan = {
  nodes: readonly InventoryNode[];
  image: { path: string; sizeBytes: number; chunkCount: number; diskBytes: number; effectiveBytes: number; actualBytes: number };
  /** Most the server sends, bits per second. */
  rateBps: number;
  reset: boolean;
  untilSsh: boolean;
  /** Deadlines and pauses, all in milliseconds. */
  nodeDeadlineMs: number;
  bootDeadlineMs: number;
  writeDeadlineMs: number;
  graceMs: number;
  stallMs: number;
  telnetBackoffMs: number;
  telnetPort: number;
  /** The ramdisk's program and the node's disk. */
  frisbeeClient: string;
  hardDrive: string;
};

export type LoadTools = {
  host: Host;
  emit: Emit;
  signal: AbortSignal;
  undo: UndoStack;
  links: NextBootLinks;
  reset: ResetTools;
  liveness: Omit<LivenessOptions, 'signal'>;
  wait: WaitOptions;
  openSession: () => Promise<ImageSession>;
  /** Where a node's raw telnet output goes. */
  transcript: (node: string) => (bytes: Uint8Array) => void;
};

const RESET_DEADLINE_MS = 60_000;

/**
 * Loads the plan's image onto its nodes, each on its own way: link, reset, telnet up, unlink, frisbee, check, reset.
 * The server starts first, so a bad image costs no reset; nodes join it as they come up.
 */
export async function executeLoad(plan: LoadPlan, tools: LoadTools): Promise<Outcome<string>[]> {
  const session = await tools.openSession();
  const stop = tools.undo.push('stopping the server', () => session.stop());
  const options = { concurrency: plan.nodes.length, nodeDeadlineMs: plan.nodeDeadlineMs, firstStep: plan.reset ? 'pxe' : 'boot', describe: (text: string) => text, ...tools } as const;
  const outcomes = await fanOut(plan.nodes, options, (node) => loadNode(node, plan, tools, session));
  await stop();
  return outcomes;
}

async function loadNode(node: NodeRun, plan: LoadPlan, tools: LoadTools, session: ImageSession): Promise<string> {
  const unlink = plan.reset ? await bootOverNetwork(node, plan, tools) : async () => {};
  let telnet: TelnetSession | null = null;
  try {
    telnet = await node.at('boot', plan.bootDeadlineMs, (signal) => telnetUp(node, plan, tools, signal));
    await unlink(); // as soon as the node runs it: whatever comes next must boot the disk
    const rate = await writeAndCheck(node, plan, telnet, session);
    if (plan.reset) await rebootIntoDisk(node, plan, tools, telnet);
    if (!plan.untilSsh) return rate;
    return `${rate}; ${await node.at('ssh', plan.nodeDeadlineMs, (signal) => waitForSsh(node, tools.wait, signal))}`;
  } catch (error) {
    if (telnet && plan.reset && node.step === 'write' && !node.signal.aborted) await leaveRamdisk(node, tools);
    throw error;
  } finally {
    telnet?.close();
    await unlink();
  }
}

/** Places the next-boot link and resets; returns what takes the link away again. */
async function bootOverNetwork(node: NodeRun, plan: LoadPlan, tools: LoadTools): Promise<() => Promise<void>> {
  const unlink = await node.at('pxe', RESET_DEADLINE_MS, async () => {
    const mac = node.node.control.mac;
    const undo = tools.undo.push(`removing the next-boot link of ${node.name}`, () => tools.links.remove(mac));
    const placed = await tools.links.place(mac, node.name);
    if (placed.replaced !== null) node.note(`replaced a next-boot link that pointed to ${placed.replaced}`);
    return undo;
  });
  try {
    await node.at('reset', RESET_DEADLINE_MS + 2 * plan.graceMs, (signal) =>
      ensureReset(node, () => takeLiveness(node.node, { ...tools.liveness, signal }), tools.reset, signal),
    );
    return unlink;
  } catch (error) {
    await unlink();
    throw error;
  }
}

async function telnetUp(node: NodeRun, plan: LoadPlan, tools: LoadTools, signal: AbortSignal): Promise<TelnetSession> {
  const options = { host: node.node.control.ip, port: plan.telnetPort, connectTimeoutMs: 2_000, firstByteTimeoutMs: 5_000, onRaw: tools.transcript(node.name) };
  return retrying(node, plan.telnetBackoffMs, signal, () => openTelnet({ ...options, signal }));
}

async function writeAndCheck(node: NodeRun, plan: LoadPlan, telnet: TelnetSession, session: ImageSession): Promise<string> {
  const options: WriteOptions = { program: plan.frisbeeClient, device: plan.hardDrive, stallMs: plan.stallMs, imageChunks: plan.image.chunkCount, session };
  const startedMs = node.host.monotonicMs();
  const result = await node.at('write', plan.writeDeadlineMs, (signal) => Promise.race([writeImage(node, telnet, options, signal), session.failed]));
  const elapsedS = Math.max(0.001, (node.host.monotonicMs() - startedMs) / 1000);
  await node.at('check', RESET_DEADLINE_MS, async () => {
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

async function rebootIntoDisk(node: NodeRun, plan: LoadPlan, tools: LoadTools, telnet: TelnetSession): Promise<void> {
  // the open telnet session is the sign of life; after a power cut it stays silent for ever, so new connections are tried too
  const ramdisk: Sign = {
    probe: 'telnet',
    gone: (signal) => Promise.race([telnet.closed, pollUntilFalse(() => tcpAnswers(node.node.control.ip, plan.telnetPort, { ...tools.liveness, signal }), signal)]),
    release: () => {},
  };
  await node.at('reboot', RESET_DEADLINE_MS + 2 * plan.graceMs, (signal) => ensureReset(node, async () => [ramdisk], tools.reset, signal));
}

/** After a failed write the node is reset all the same, so that it does not sit in the PXE system; its failure stands. */
async function leaveRamdisk(node: NodeRun, tools: LoadTools): Promise<void> {
  try {
    await tools.reset.recordReset(node.name, 'reset');
    await tools.reset.power.send(node.node.cmc, 'reset', { signal: node.signal, timeoutMs: 5_000 });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    node.note(`and could not be reset: ${error.message}`);
  }
}
