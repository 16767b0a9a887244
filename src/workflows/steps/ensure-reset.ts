import type { UndoStack } from '../../util/undo.js';
import { sleep, withDeadline } from '../../util/abort.js';
import { createTurns } from '../../util/turns.js';
import type { NodeRun } from '../node-steps.js';
import type { Probe, Sign } from './liveness.js';
import { sendPowerVerb, type VerbTools } from './send-verb.js';
import { fail } from '../failures.js';
import { maybeDone } from '../../power/failures.js';

export type ResetTools = VerbTools & {
  undo: UndoStack;
};

export type ResetProof = {
  /** The node is known to be on; else its card is asked. */
  on: boolean;
  /** What answers before the reset: all of it must go away. */
  take: () => Promise<Sign[]>;
  /** Resolves when the new system is up; counts as proof when telnet was not among what answered before. */
  newSystem: ((signal: AbortSignal) => Promise<void>) | null;
  /** Off and on at once, without a reset first. */
  powerCycle: boolean;
  /** How long the old system may keep answering after a reset before the reset counts as ignored. */
  graceMs: number;
};

/**
 * So many nodes are looked at at a time, each for so long at most: where a thousand cards and systems are asked at the same
 * moment, a gateway that has other things to do hears their answers too late.
 */
const looks = createTurns(128, 5_000);

/**
 * Makes a node boot, and proves it where proof is possible: everything that answered before must go away, or a system be
 * up that was not. When neither happens within the grace time, the reset was ignored (some cards acknowledge and do
 * nothing): off, then on. Resolves with whether it is proven: where nothing answered before, the boot itself is the proof.
 */
export async function ensureReset(node: NodeRun, proof: ResetProof, tools: ResetTools, signal: AbortSignal): Promise<boolean> {
  const signs: Sign[] = [];
  let taking = Promise.resolve();
  const isOn = async (): Promise<boolean> => {
    signal.throwIfAborted();
    taking = proof.take().then((found) => void signs.push(...found));
    taking.catch(() => {}); // its failure is seen below, unless the card's comes first
    if (!proof.on && (await sendPowerVerb(node, 'status', tools, signal)).state === 'off') return false;
    await taking;
    return true;
  };
  try {
    if (!(await looks(isOn))) {
      await tell(node, 'on', tools, signal);
      return true;
    }
    if (proof.powerCycle) {
      await offAndOn(node, signs, proof.graceMs, tools, signal);
      return true;
    }
    await tellReset(node, signs.length > 0, tools, signal);
    const newSystem = signs.some((sign) => sign.probe === 'telnet') ? null : proof.newSystem;
    const left = await stillThere(signs, newSystem, proof.graceMs, signal);
    if (left.length === 0) return signs.length > 0;
    node.retry(
      `reset was acknowledged, but ${left.join(' and ')} still answered ${proof.graceMs / 1000} s later; switching off and on instead`,
    );
    await offAndOn(node, signs, proof.graceMs, tools, signal);
    return true;
  } finally {
    void taking.catch(() => {}).then(() => signs.forEach((sign) => sign.release()));
  }
}

/** Time for switching a node on again, all attempts together, milliseconds. */
const SWITCH_ON_MS = 5_000;

/** Switches a node off and on; some cards need to be told off twice. An interrupt in between still switches it on. */
export async function offAndOn(
  node: NodeRun,
  signs: readonly Sign[],
  graceMs: number,
  tools: ResetTools,
  signal: AbortSignal,
): Promise<void> {
  const switchOn = tools.undo.push(
    `switching ${node.name} on again`,
    async () => void (await sendPowerVerb(node, 'on', tools, new AbortController().signal, SWITCH_ON_MS)), // whatever else was aborted
  );
  let left: Probe[] = [];
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await tell(node, 'off', tools, signal);
    left = await stillThere(signs, null, graceMs, signal);
    if (left.length === 0) break;
  }
  node.note(`sending on to ${node.target.cmc.hostname}`);
  await switchOn();
  if (left.length === 0) return;
  throw fail(
    'reset-ignored',
    `${node.name}: neither reset nor off of ${node.target.cmc.hostname} (${node.target.cmc.ip}) had any effect: ${left.join(' and ')} still answers`,
    'the card acknowledges but does not act: unplug it for five minutes, and look at its wiring',
  );
}

const RESETS = 3;
const RESET_PAUSE_MS = 1_000;

/**
 * Asks for a reset. When nobody knows whether it was done, what answered before tells (`provable`); where nothing did, no
 * system can be hurt by one more.
 */
async function tellReset(node: NodeRun, provable: boolean, tools: ResetTools, signal: AbortSignal): Promise<void> {
  for (let times = 1; ; times += 1) {
    try {
      return await tell(node, 'reset', tools, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!maybeDone(error) || (!provable && times >= RESETS)) throw error;
      node.retry(`${error.message}; ${provable ? 'looking whether it was reset all the same' : 'resetting once more'}`);
      if (provable) return;
    }
    await sleep(RESET_PAUSE_MS * times * (0.5 + node.host.random()), signal);
  }
}

async function tell(node: NodeRun, verb: 'reset' | 'on' | 'off', tools: ResetTools, signal: AbortSignal): Promise<void> {
  await tools.stillOurs?.(node.target); // what is told is done
  node.note(`sending ${verb} to ${node.target.cmc.hostname}`);
  await sendPowerVerb(node, verb, tools, signal);
}

/** The probes that go on answering for `ms` after a reset; none as soon as all have gone or the new system is up. */
async function stillThere(
  signs: readonly Sign[],
  newSystem: ((signal: AbortSignal) => Promise<void>) | null,
  ms: number,
  signal: AbortSignal,
): Promise<Probe[]> {
  const left = new Set(signs.map((sign) => sign.probe));
  if (left.size === 0) return [];
  const late = new Error('still answering');
  try {
    await withDeadline(
      signal,
      ms,
      () => late,
      async (until) => {
        const allGone = Promise.all(signs.map((sign) => sign.gone(until).then(() => left.delete(sign.probe))));
        await (newSystem ? Promise.race([allGone, newSystem(until)]) : allGone);
      },
    );
    return [];
  } catch (error) {
    if (error === late) return [...left];
    throw error;
  }
}
