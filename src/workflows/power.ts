import type { Outcome } from '../events/outcome.js';
import type { CardResult } from '../events/results.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { PowerVerb } from '../power/client.js';
import type { Host } from '../util/host.js';
import { fanOut } from '../engine/fan-out.js';
import type { NodeRun } from './node-steps.js';
import { lockStep, type Permit } from './steps/may-act.js';
import { sendPowerVerb, type VerbTools } from './steps/send-verb.js';

export type PowerPlan = { nodes: readonly InventoryNode[]; verb: PowerVerb /** for one node, milliseconds */; timeoutMs: number };

export type PowerTools = VerbTools & {
  host: Host;
  emit: Emit;
  signal: AbortSignal;
  /** Null when the verb changes nothing, or nobody needs a permit. */
  permit: Permit | null;
  onOutcome?: (outcome: Outcome<unknown>) => void;
};

/** Cards are small, and so is what a request costs: this many are asked at once, so a silent one delays nobody. */
const CONCURRENCY = 256;

/** Sends one verb to the CMC card of each node; the value of an outcome is the card's text. Silence and nonsense are failures. */
export function executePower(plan: PowerPlan, tools: PowerTools): Promise<Outcome<string>[]> {
  const options = {
    concurrency: CONCURRENCY,
    targetDeadlineMs: Infinity,
    firstStep: 'cmc',
    result: (answer: string): CardResult => ({ type: 'card', answer }),
    ...tools,
  } as const;
  return fanOut(plan.nodes, options, async (node: NodeRun) => {
    await lockStep(node, tools.permit);
    return node.at(
      'cmc',
      plan.timeoutMs + 1_000,
      async (signal) => (await sendPowerVerb(node, plan.verb, tools, signal, plan.timeoutMs)).text,
    );
  });
}
