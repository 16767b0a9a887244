import type { EventBody } from '../../src/events/types.js';
import type { InventoryNode } from '../../src/inventory/inventory.js';
import { systemHost, type Host } from '../../src/util/host.js';
import { NodeRun } from '../../src/engine/fan-out.js';

/** A node on its way through a workflow, and what is told of it. */
export function nodeRun(
  node: InventoryNode,
  change: Partial<Host> = {},
  signal: AbortSignal = new AbortController().signal,
): { run: NodeRun; events: EventBody[] } {
  const events: EventBody[] = [];
  return { run: new NodeRun(node, signal, { ...systemHost, ...change }, (event) => void events.push(event)), events };
}
