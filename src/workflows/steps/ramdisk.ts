import type { NextBootLinks } from '../../pxe/links.js';
import { openTelnet, type TelnetSession } from '../../telnet/session.js';
import { type Failure, messageOf } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import type { UndoStack } from '../../util/undo.js';
import { type Attempt, FIRST_ATTEMPT } from '../../engine/attempts.js';
import { ensureReset, offAndOn, type ResetTools } from './ensure-reset.js';
import type { NodeRun } from '../node-steps.js';
import { takeLiveness, tcpAnswer, untilGone, untilThere, type LivenessOptions, type Sign } from './liveness.js';
import { mayAct, type Permit } from './may-act.js';
import { sendPowerVerb } from './send-verb.js';
import { retrying } from '../../engine/retrying.js';
import type { Window } from '../../engine/window.js';
import { fail } from '../failures.js';
import { fail as engineFail } from '../../engine/failures.js';
import { fail as leaseFail } from '../../leases/failures.js';
import { fail as pxeFail } from '../../pxe/failures.js';

/** How nodes get into the PXE system and out of it again. Times in milliseconds. */
export type RamdiskPlan = {
  /** Boot it, and afterwards the disk; else it runs already, and goes on running. */
  reset: boolean;
  /** From the reset to telnet. */
  bootDeadlineMs: number;
  graceMs: number;
  telnetBackoffMs: number;
  telnetPort: number;
  /** The node's disk; a system that has it mounted is not the PXE system. */
  hardDrive: string;
};

export type RamdiskTools = {
  host: Host;
  /** The whole run's: an interrupt. */
  signal: AbortSignal;
  undo: UndoStack;
  links: NextBootLinks;
  /** Asked before each reset; null: nobody needs one. */
  permit: Permit | null;
  /** How long to wait for a node that another run holds, in milliseconds; 0: not at all. */
  waitLockMs: number;
  /** Resets of many nodes are spread by it. */
  window: Window;
  reset: ResetTools;
  liveness: Omit<LivenessOptions, 'signal'>;
  /** Where a node's raw telnet output goes. */
  transcript: (node: string) => (bytes: Uint8Array) => void;
};

const RESET_DEADLINE_MS = 60_000;
const LEAVE_DEADLINE_MS = 10_000;
/** A connection that is not accepted by then is tried anew. */
const CONNECT_MS = 2_000;

/**
 * Boots a node over the network, does `work` in its shell, and boots it from its disk again. The next-boot link goes as
 * soon as telnet answers: whatever boots later must boot the disk. When the work fails the node is reset all the same.
 */
export async function inRamdisk<T>(
  node: NodeRun,
  plan: RamdiskPlan,
  tools: RamdiskTools,
  work: (telnet: TelnetSession) => Promise<T>,
  attempt: Attempt = FIRST_ATTEMPT,
): Promise<T> {
  const boot = plan.reset ? await bootOverNetwork(node, plan, tools, attempt) : { proven: true, unlink: async () => {} };
  let telnet: TelnetSession | null = null;
  try {
    telnet = await firstTelnet(node, plan, tools, attempt, boot.proven);
    await boot.unlink();
    const result = await work(telnet).catch(async (error: unknown) => {
      const notOurs = leaseFail.is(error, 'no-lease') || pxeFail.is(error, 'lock-lost'); // it may be somebody else's by now, and is left as it is
      if (plan.reset && !notOurs) await leaveRamdisk(node, tools);
      throw error;
    });
    if (plan.reset) await rebootIntoDisk(node, plan, tools, telnet);
    return result;
  } finally {
    telnet?.close();
    await boot.unlink().catch((error: unknown) => node.note(`its next-boot link may be left: ${messageOf(error)}`));
  }
}

/** `proven`: the reset is; `unlink` takes the next-boot link away. */
type Boot = { proven: boolean; unlink: () => Promise<void> };

/** Places the next-boot link and resets. */
async function bootOverNetwork(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, attempt: Attempt): Promise<Boot> {
  await tools.window.turn(node.signal);
  const { mac } = node.target.control;
  let unlink = async (): Promise<void> => {};
  try {
    await node.at('pxe', RESET_DEADLINE_MS, async () => {
      const placing = tools.links.place(mac, node.name);
      unlink = tools.undo.push(`removing the next-boot link of ${node.name}`, async () => {
        await placing.catch(() => {}); // an interrupt does not wait for it, and a link must not appear after its removal
        await tools.links.unlink(mac);
      });
      const placed = await placing;
      if (placed.replaced !== null) node.note(`replaced a next-boot link that pointed to ${placed.replaced}`);
    });
    const proven = await node.at('reset', resetDeadlineMs(plan) * attempt.patience, async (signal) => {
      await mayAct(node, tools, signal);
      return ensureReset(
        node,
        {
          on: false,
          take: () => takeLiveness(node.target, { ...tools.liveness, signal }),
          newSystem: (until) => untilThere(node.target.control.ip, plan.telnetPort, tools.liveness.probeTimeoutMs, until),
          powerCycle: attempt.number > 1,
          graceMs: plan.graceMs,
        },
        tools.reset,
        signal,
      );
    });
    return { proven, unlink };
  } catch (error) {
    await unlink().catch((problem: unknown) => node.note(`its next-boot link may be left: ${messageOf(problem)}`));
    throw error;
  }
}

/** A reset, and off and on twice over when it is ignored. */
function resetDeadlineMs(plan: RamdiskPlan): number {
  return RESET_DEADLINE_MS + 3 * plan.graceMs;
}

/**
 * Waits for telnet. When it does not come, the node is switched off and on once: where nothing had answered before, the
 * reset may have been ignored, and some boards hang in their first boot.
 */
async function firstTelnet(
  node: NodeRun,
  plan: RamdiskPlan,
  tools: RamdiskTools,
  attempt: Attempt,
  proven: boolean,
): Promise<TelnetSession> {
  const deadlineMs = plan.bootDeadlineMs * attempt.patience;
  const boot = (): Promise<TelnetSession> => node.at('boot', deadlineMs, (signal) => telnetUp(node, plan, tools, signal));
  try {
    return await boot();
  } catch (error) {
    if (!plan.reset || !attempt.repeatsSteps || !engineFail.is(error, 'boot-deadline')) throw error;
    node.retry(
      `${proven ? '' : 'nothing answered before the reset, and '}nothing has come up ${deadlineMs / 1000} s after it; switching off and on`,
    );
    await powerCycle(node, plan, tools);
    return boot();
  }
}

/** Switches a node off and on. */
export async function powerCycle(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools): Promise<void> {
  await node.at('reset', resetDeadlineMs(plan), async (signal) => {
    await mayAct(node, tools, signal);
    await offAndOn(node, [], plan.graceMs, tools.reset, signal);
  });
}

async function telnetUp(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, signal: AbortSignal): Promise<TelnetSession> {
  const onSlow = (failure: Failure): void => node.seen(failure);
  const options = {
    host: node.target.control.ip,
    port: plan.telnetPort,
    connectTimeoutMs: CONNECT_MS,
    firstByteTimeoutMs: Infinity,
    onRaw: tools.transcript(node.name),
    onSlow,
  };
  return retrying(node, { backoffMs: plan.telnetBackoffMs }, signal, async () => {
    const telnet = await openTelnet({ ...options, signal });
    try {
      await checkShell(node, plan, telnet, signal);
      return telnet;
    } catch (error) {
      telnet.close();
      throw error;
    }
  });
}

/** Some other system may answer telnet too: it asks for a login, or it runs from the very disk that is to be written. */
async function checkShell(node: NodeRun, plan: RamdiskPlan, telnet: TelnetSession, signal: AbortSignal): Promise<void> {
  let mounted = false;
  const onLine = (line: string): void => {
    if (line.startsWith(plan.hardDrive)) mounted = true;
  };
  await telnet.run('cat /proc/mounts', { signal, onLine });
  if (mounted)
    throw fail(
      'not-the-ramdisk',
      `${node.name} runs a system that has ${plan.hardDrive} mounted: not the PXE system`,
      'did it boot its disk? look at its next-boot link, DHCP and TFTP',
    );
}

async function rebootIntoDisk(node: NodeRun, plan: RamdiskPlan, tools: RamdiskTools, telnet: TelnetSession): Promise<void> {
  const { ip } = node.target.control;
  const { probeTimeoutMs } = tools.liveness;
  // the open session is the sign of life; after a power cut it stays silent for ever, so new connections are tried too
  const ramdisk: Sign = {
    probe: 'telnet',
    gone: (signal) => untilGone((until) => tcpAnswer(ip, plan.telnetPort, probeTimeoutMs, until), signal, telnet.closed),
    release: () => {},
  };
  await node.at('reboot', resetDeadlineMs(plan), (signal) =>
    ensureReset(
      node,
      { on: true, take: async () => [ramdisk], newSystem: null, powerCycle: false, graceMs: plan.graceMs },
      tools.reset,
      signal,
    ),
  );
}

/** After failed work the node is reset all the same, so that it does not sit in the PXE system; its failure stands. */
async function leaveRamdisk(node: NodeRun, tools: RamdiskTools): Promise<void> {
  if (tools.signal.aborted) return; // an interrupt leaves nodes as they are
  try {
    await sendPowerVerb(node, 'reset', tools.reset, tools.signal, LEAVE_DEADLINE_MS);
  } catch (error) {
    node.note(`left in the PXE system: ${messageOf(error)}`);
  }
}
