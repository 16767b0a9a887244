import type { PowerClient, PowerVerb } from '../power/client.js';
import { withDeadline } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { NodeRun } from './fan-out.js';
import type { Probe, Sign } from './liveness.js';

export type ResetTools = {
  power: PowerClient;
  /** How long the old system may keep answering after a reset before the reset counts as ignored. */
  graceMs: number;
  /** Called right before a verb that makes the node boot is sent: whoever waits for the new system wants a boot after it. */
  recordReset: (node: string, verb: PowerVerb) => Promise<void>;
};

export type ResetProof = {
  /** The node is known to be on; else its card is asked. */
  on: boolean;
  /** What answers before the reset: all of it must go away. */
  take: () => Promise<Sign[]>;
  /** Resolves when the new system is up; counts as proof when telnet was not among what answered before. */
  newSystem: ((signal: AbortSignal) => Promise<void>) | null;
};

/**
 * Makes a node boot, and proves it where proof is possible: everything that answered before must go away, or a system be
 * up that was not. When neither happens within the grace time, the reset was ignored (some cards acknowledge and do
 * nothing): off, then on. Where nothing answered before, the boot itself is the proof, and the caller waits for that.
 */
export async function ensureReset(node: NodeRun, proof: ResetProof, tools: ResetTools, signal: AbortSignal): Promise<void> {
  const signs: Sign[] = [];
  try {
    const [state, found] = await Promise.all([proof.on ? 'on' : powerState(node, tools, signal), proof.take()]);
    signs.push(...found);
    if (state === 'off') return await send(node, 'on', tools, signal);
    await send(node, 'reset', tools, signal);
    const newSystem = signs.some((sign) => sign.probe === 'telnet') ? null : proof.newSystem;
    const left = await stillThere(signs, newSystem, tools.graceMs, signal);
    if (left.length === 0) return;
    node.retry(`reset was acknowledged, but ${left.join(' and ')} still answered ${tools.graceMs / 1000} s later; switching off and on instead`);
    await offAndOn(node, signs, tools, signal);
  } finally {
    for (const sign of signs) sign.release();
  }
}

async function offAndOn(node: NodeRun, signs: readonly Sign[], tools: ResetTools, signal: AbortSignal): Promise<void> {
  await send(node, 'off', tools, signal);
  const left = await stillThere(signs, null, tools.graceMs, signal);
  if (left.length > 0) {
    throw new Failure(
      'reset-ignored',
      `${node.name}: neither reset nor off of ${node.node.cmc.hostname} (${node.node.cmc.ip}) had any effect: ${left.join(' and ')} still answers`,
      'the card acknowledges but does not act: unplug it for five minutes, and look at its wiring',
    );
  }
  await send(node, 'on', tools, signal);
  node.note('switched off and on, and this time it went down');
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

/** The probes that go on answering for `ms` after a reset; none as soon as all have gone or the new system is up. */
async function stillThere(signs: readonly Sign[], newSystem: ((signal: AbortSignal) => Promise<void>) | null, ms: number, signal: AbortSignal): Promise<Probe[]> {
  const left = new Set(signs.map((sign) => sign.probe));
  if (left.size === 0) return [];
  const late = new Failure('still-alive', 'still answering');
  try {
    await withDeadline(signal, ms, () => late, async (until) => {
      const allGone = Promise.all(signs.map((sign) => sign.gone(until).then(() => left.delete(sign.probe))));
      await (newSystem ? Promise.race([allGone, newSystem(until)]) : allGone);
    });
    return [];
  } catch (error) {
    if (error === late) return [...left];
    throw error;
  }
}
