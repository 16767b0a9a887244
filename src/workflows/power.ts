import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { PowerAnswer, PowerClient, PowerVerb } from '../power/client.js';
import type { Host } from '../util/host.js';
import { fanOut } from './fan-out.js';

export type PowerPlan = { nodes: readonly InventoryNode[]; verb: PowerVerb; /** for one node, milliseconds */ timeoutMs: number };

export type PowerTools = {
  host: Host;
  emit: Emit;
  signal: AbortSignal;
  power: PowerClient;
  /** Called before a verb that makes the node boot. */
  recordBoot: (node: string) => Promise<void>;
  onAnswer: (node: string, answer: PowerAnswer) => void;
};

/** Cards are small, and so is what a request costs: this many are asked at once, so a silent one delays nobody. */
const CONCURRENCY = 256;

/** Sends one verb to the CMC card of each node. A card that says nothing, or nonsense, is a failed node. */
export function executePower(plan: PowerPlan, tools: PowerTools): Promise<Outcome<string>[]> {
  const options = { concurrency: CONCURRENCY, nodeDeadlineMs: Infinity, firstStep: 'cmc', describe: (text: string) => text, ...tools } as const;
  return fanOut(plan.nodes, options, (node) =>
    node.at('cmc', plan.timeoutMs + 1_000, async (signal) => {
      if (plan.verb === 'on' || plan.verb === 'reset') await tools.recordBoot(node.name);
      const answer = await tools.power.send(node.node.cmc, plan.verb, { signal, timeoutMs: plan.timeoutMs, onBusy: () => node.retry(`${node.node.cmc.hostname} is busy`) });
      tools.onAnswer(node.name, answer);
      return answer.text;
    }),
  );
}
