import type { InventoryNode } from '../../inventory/inventory.js';
import type { PowerAnswer, PowerClient, PowerVerb } from '../../power/client.js';
import { Failure } from '../../util/errors.js';
import type { NodeRun } from '../node-steps.js';
import { neverSent } from '../../power/failures.js';
import { fail as pxeFail } from '../../pxe/failures.js';

export type VerbTools = {
  power: PowerClient;
  /** Asked before each request that changes something: rejects with a Failure when the node is not ours any more. */
  stillOurs?: (node: InventoryNode) => Promise<void>;
  /** Keeps when a node was told to end the system it ran; rejects with a Failure when that cannot be kept. */
  recordEnd: (node: string, verb: PowerVerb, atMs: number) => Promise<void>;
};

/** The verbs that end whatever system runs on a node; who waits for the new one must not meet the old one. */
const ENDING: ReadonlySet<PowerVerb> = new Set(['reset', 'off']);

/** Sends one verb to a node's card. When it may have ended the node's system, the moment before it was sent is kept. */
export async function sendPowerVerb(
  node: NodeRun,
  verb: PowerVerb,
  tools: VerbTools,
  signal: AbortSignal,
  timeoutMs?: number,
): Promise<PowerAnswer> {
  const { cmc } = node.target;
  const atMs = node.host.now();
  const keep = async (): Promise<void> => {
    if (!ENDING.has(verb)) return;
    await tools.recordEnd(node.name, verb, atMs).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      node.note(error.message); // a record that cannot be kept is no reason not to reset
    });
  };
  try {
    const answer = await tools.power.send(cmc, verb, {
      signal,
      before: async () => (verb === 'status' ? undefined : tools.stillOurs?.(node.target)),
      onAgain: (why) => node.retry(`${cmc.hostname} ${why}`),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    await keep();
    return answer;
  } catch (error) {
    if (!neverSent(error) && !pxeFail.is(error, 'lock-lost')) await keep();
    throw error;
  }
}
