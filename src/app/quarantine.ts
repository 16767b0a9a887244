import type { InventoryNode } from '../inventory/inventory.js';
import { foldNames } from '../nodes/names.js';
import { healthOf, type NodeHealth } from '../runs/health.js';
import { readHistory } from '../runs/history.js';
import { UserError } from '../util/errors.js';
import type { Site } from './site.js';

/**
 * The nodes that are not in quarantine; those that are go to `site.skipped`, with a warning that says how to take them.
 *
 * @throws UserError `refused` when none is left
 */
export function withoutQuarantined(nodes: readonly InventoryNode[], site: Site): InventoryNode[] {
  const after = site.config.nodes.quarantineAfter;
  const quarantined = new Map(
    healthOf(readHistory(site.stateDir), after)
      .filter(({ isQuarantined }) => isQuarantined)
      .map((health) => [health.node, health]),
  );
  const out = nodes.filter(({ name }) => quarantined.has(name));
  if (out.length === 0) return [...nodes];
  const folded = foldNames(out.map(({ name }) => name));
  const hint = `--include-quarantined takes them all the same; 'imaging-runs release ${folded}' lets them out`;
  if (out.length === nodes.length) throw new UserError('refused', `every selected node is in quarantine: ${folded}`, hint);
  site.skipped.push(...out.map(({ name }) => ({ node: name, reason: reasonOf(quarantined.get(name)) })));
  site.warnings.push(`nodes in quarantine are skipped: ${folded}; ${hint}`);
  return nodes.filter(({ name }) => !quarantined.has(name));
}

function reasonOf(health: NodeHealth | undefined): string {
  return `in quarantine: failed ${health?.failedInARow ?? 0} times in a row, the last at ${health?.lastFailure?.step ?? '?'} [${health?.lastFailure?.code ?? '?'}]`;
}
