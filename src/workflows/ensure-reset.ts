import type { PowerClient, PowerVerb } from '../power/client.js';
import { withDeadline } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { NodeRun } from './fan-out.js';
import type { Sign } from './liveness.js';

export type ResetTools = {
  power: PowerClient;
  /** How long the old system may keep answering after a reset before the reset counts as ignored. */
  graceMs: number;
  /** Called right before a verb that makes the node boot is sent: whoever waits for the new system wants a boot after it. */
  recordReset: (node: string, verb: PowerVerb) => Promise<void>;
};

/**
 * Makes a node boot, and proves it where proof is possible: everything that answered before (`signs`) must go away.
 * When it does not within the grace time, the reset was ignored (some cards acknowledge and do nothing): off, then on.
 * Where nothing answered before, the boot itself is the proof, and the caller waits for that.
 */
export async function ensureReset(node: NodeRun, takeSigns: () => Promise<Sign[]>, tools: ResetTools, signal: AbortSignal): Promise<void> {
  const signs: Sign[] = [];
  try {
    const [state, found] = await Promise.all([powerState(node, tools, signal), takeSigns()]);
    signs.push(...found);
    if (state === 'off') return await send(node, 'on', tools, signal);
    await send(node, 'reset', tools, signal);
    if (await allGone(signs, tools.graceMs, signal)) return;
    node.retry(`reset was acknowledged, but ${names(signs)} still answered ${tools.graceMs / 1000} s later; switching off and on instead`);
    await offAndOn(node, signs, tools, signal);
  } finally {
    for (const sign of signs) sign.release();
  }
}

async function offAndOn(node: NodeRun, signs: readonly Sign[], tools: ResetTools, signal: AbortSignal): Promise<void> {
  await send(node, 'off', tools, signal);
  if (!(await allGone(signs, tools.graceMs, signal))) {
    throw new Failure(
      'reset-ignored',
      `${node.name}: neither reset nor off of ${node.node.cmc.hostname} (${node.node.cmc.ip}) had any effect: ${names(signs)} still answers`,
      'the card acknowledges but does not act: unplug it for five minutes, and look at its wiring',
    );
  }
  await send(node, 'on', tools, signal);
  node.note('switched off and on: the node is gone down at last');
}

async function powerState(node: NodeRun, tools: ResetTools, signal: AbortSignal): Promise<'on' | 'off'> {
  const answer = await tools.power.send(node.node.cmc, 'status', { signal, onBusy: () => node.retry(`${node.node.cmc.hostname} is busy`) });
  return answer.state === 'off' ? 'off' : 'on';
}

async function send(node: NodeRun, verb: PowerVerb, tools: ResetTools, signal: AbortSignal): Promise<void> {
  if (verb !== 'off') await tools.recordReset(node.name, verb);
  node.note(`sending ${verb} to ${node.node.cmc.hostname}`);
  await tools.power.send(node.node.cmc, verb, { signal, onBusy: () => node.retry(`${node.node.cmc.hostname} is busy`) });
}

/** Whether every sign goes away within `ms`. */
async function allGone(signs: readonly Sign[], ms: number, signal: AbortSignal): Promise<boolean> {
  if (signs.length === 0) return true;
  const late = new Failure('still-alive', 'still answering');
  try {
    await withDeadline(signal, ms, () => late, (until) => Promise.all(signs.map((sign) => sign.gone(until))).then(() => undefined));
    return true;
  } catch (error) {
    if (error === late) return false;
    throw error;
  }
}

function names(signs: readonly Sign[]): string {
  return signs.map((sign) => sign.probe).join(' and ');
}
