import type { NextBootLinks } from '../pxe/links.js';
import { openTelnet, type TelnetSession } from '../telnet/session.js';
import { Failure } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { UndoStack } from '../util/undo.js';
import { ensureReset, type ResetTools } from './ensure-reset.js';
import type { NodeRun } from './fan-out.js';
import { pollUntil, takeLiveness, tcpAnswers, type LivenessOptions, type Sign } from './liveness.js';
import { retrying } from './wait.js';

/** How nodes get into the PXE system and out of it again. Times in milliseconds. */
export type RamdiskPlan = {
  /** Boot it, and afterwards the disk; else it runs already, and goes on running. */
  reset: boolean;
  /** From the reset to telnet. */
  bootDeadlineMs: number;
  graceMs: number;
  telnetBackoffMs: number;
  telnetPort: number;
};

export type RamdiskTools = {
  host: Host;
  undo: UndoStack;
  links: NextBootLinks;
  reset: ResetTools;
  liveness: Omit<LivenessOptions, 'signal'>;
  /** Where a node's raw telnet output goes. */
  transcript: (node: string) => (bytes: Uint8Array) => void;
};

const RESET_DEADLINE_MS = 60_000;

/**
 * Boots a node over the network, does `work` in its shell, and boots it from its disk again. The next-boot link goes as
 * soon as telnet answers: whatever boots later must boot the disk. When the work fails the node is reset all the same.
 */
export async function inRamdisk<T>(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, work: (telnet: TelnetSession) => Promise<T>): Promise<T> {
  const unlink = plan.reset ? await bootOverNetwork(node, plan, tools) : async () => {};
  let telnet: TelnetSession | null = null;
  try {
    telnet = await node.at('boot', plan.bootDeadlineMs, (signal) => telnetUp(node, plan, tools, signal));
    await unlink();
    const result = await work(telnet).catch(async (error: unknown) => {
      if (plan.reset && !node.signal.aborted) await leaveRamdisk(node, tools);
      throw error;
    });
    if (plan.reset) await rebootIntoDisk(node, plan, tools, telnet);
    return result;
  } finally {
    telnet?.close();
    await unlink();
  }
}

/** Places the next-boot link and resets; returns what takes the link away again. */
async function bootOverNetwork(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools): Promise<() => Promise<void>> {
  const unlink = await node.at('pxe', RESET_DEADLINE_MS, async () => {
    const mac = node.node.control.mac;
    const placing = tools.links.place(mac, node.name);
    const undo = tools.undo.push(`removing the next-boot link of ${node.name}`, async () => {
      await placing.catch(() => {}); // an interrupt does not wait for it, and a link must not appear after its removal
      await tools.links.remove(mac);
    });
    const placed = await placing;
    if (placed.replaced !== null) node.note(`replaced a next-boot link that pointed to ${placed.replaced}`);
    return undo;
  });
  try {
    await node.at('reset', RESET_DEADLINE_MS + 2 * plan.graceMs, (signal) =>
      ensureReset(node, { on: false, take: () => takeLiveness(node.node, { ...tools.liveness, signal }), newSystem: (until) => telnetAnswers(node, plan, tools, until) }, tools.reset, signal),
    );
    return unlink;
  } catch (error) {
    await unlink();
    throw error;
  }
}

/** Resolves once telnet, which did not answer before, does. */
function telnetAnswers(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, signal: AbortSignal): Promise<void> {
  return pollUntil(true, () => tcpAnswers(node.node.control.ip, plan.telnetPort, { ...tools.liveness, signal }), signal);
}

async function telnetUp(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, signal: AbortSignal): Promise<TelnetSession> {
  const options = { host: node.node.control.ip, port: plan.telnetPort, connectTimeoutMs: 2_000, firstByteTimeoutMs: 5_000, onRaw: tools.transcript(node.name) };
  return retrying(node, plan.telnetBackoffMs, signal, () => openTelnet({ ...options, signal }));
}

async function rebootIntoDisk(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, telnet: TelnetSession): Promise<void> {
  // the open telnet session is the sign of life; after a power cut it stays silent for ever, so new connections are tried too
  const ramdisk: Sign = {
    probe: 'telnet',
    gone: (signal) => Promise.race([telnet.closed, pollUntil(false, () => tcpAnswers(node.node.control.ip, plan.telnetPort, { ...tools.liveness, signal }), signal)]),
    release: () => {},
  };
  await node.at('reboot', RESET_DEADLINE_MS + 2 * plan.graceMs, (signal) => ensureReset(node, { on: true, take: async () => [ramdisk], newSystem: null }, tools.reset, signal));
}

/** After a failed write the node is reset all the same, so that it does not sit in the PXE system; its failure stands. */
async function leaveRamdisk(node: NodeRun, tools: RamdiskTools): Promise<void> {
  try {
    await tools.reset.recordReset(node.name, 'reset');
    await tools.reset.power.send(node.node.cmc, 'reset', { signal: node.signal, timeoutMs: 5_000 });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    node.note(`and could not be reset: ${error.message}`);
  }
}
