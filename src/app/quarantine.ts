import type { InventoryNode } from '../inventory/inventory.js';
import { foldNames } from '../nodes/names.js';
import { healthOf, type NodeHealth } from '../runs/health.js';
import { readHistory } from '../runs/history.js';
import type { SkippedNode } from './node-workflow.js';
import { UserError } from '../util/errors.js';
import type { Site } from './site.js';

/** Nodes that a run may work on, those that it leaves alone, and what is to be said of that. */
export type InService = { nodes: readonly InventoryNode[]; skipped: readonly SkippedNode[]; warnings: readonly string[] };

/**
 * Leaves out nodes in quarantine, with a warning that says how to take them; `includeQuarantined`: takes them as well.
 *
 * @throws UserError `refused` when none is left
 */
export function nodesInService(nodes: readonly InventoryNode[], site: Site, includeQuarantined: boolean): InService {
  const after = site.config.nodes.quarantineAfter;
  if (after <= 0 || includeQuarantined) return { nodes, skipped: [], warnings: [] };
  const quarantined = new Map(
    healthOf(readHistory(site.stateDir), after)
      .filter(({ isQuarantined }) => isQuarantined)
      .map((health) => [health.node, health]),
  );
  const out = nodes.filter(({ name }) => quarantined.has(name));
  if (out.length === 0) return { nodes, skipped: [], warnings: [] };
  const folded = foldNames(out.map(({ name }) => name));
  const hint = `--include-quarantined takes them all the same; 'imaging-runs release ${folded}' lets them out`;
  if (out.length === nodes.length) throw new UserError('refused', `every selected node is in quarantine: ${folded}`, hint);
  return {
    nodes: nodes.filter(({ name }) => !quarantined.has(name)),
    skipped: out.map(({ name }) => ({ node: name, reason: reasonOf(quarantined.get(name)) })),
    warnings: [`nodes in quarantine are skipped: ${folded}; ${hint}`],
  };
}

function reasonOf(health: NodeHealth | undefined): string {
  return `in quarantine: failed ${health?.failedInARow ?? 0} times in a row, the last at ${health?.lastFailure?.step ?? '?'} [${health?.lastFailure?.code ?? '?'}]`;
}
