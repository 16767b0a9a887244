import type { EventBody } from '../../src/events/types.js';
import type { InventoryNode } from '../../src/inventory/inventory.js';
import { systemHost, type Host } from '../../src/util/host.js';
import { TargetRun } from '../../src/engine/target-run.js';
import type { NodeRun } from '../../src/workflows/node-steps.js';

/** A node on its way through a workflow, and what is told of it. */
export function nodeRun(
  node: InventoryNode,
  change: Partial<Host> = {},
  signal: AbortSignal = new AbortController().signal,
): { run: NodeRun; events: EventBody[] } {
  const events: EventBody[] = [];
  const host = { ...systemHost, ...change };
  return { run: new TargetRun(node, { signal, host, emit: (event) => void events.push(event), firstStep: 'lock' }), events };
}
