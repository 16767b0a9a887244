import type { Config } from '../../config/config.js';
import type { Inventory, InventoryNode } from '../../inventory/inventory.js';
import type { Host } from '../../util/host.js';

/**
 * `ok`: as it should be. `skipped`: could not be looked at, the message says why. `warning`: works, but not well, or not
 * for everybody. `problem`: commands will fail.
 */
export type Status = 'ok' | 'skipped' | 'warning' | 'problem';

/** One thing that a check saw. */
export type Finding = {
  status: Status;
  /** What was tried, on what, and what was seen: one line. */
  message: string;
  /** Why that is so, or what comes of it; null when the message says it all. */
  cause: string | null;
  /** What to do: a step or a command each. */
  fix: readonly string[];
};

/** The machine that the doctor runs on. */
export type Gateway = { host: Host /** How many nodes will be worked on at once, as far as that is known. */; nodeCount: number };
/** ... with a configuration that can be used. */
export type ConfiguredGateway = Gateway & { config: Config /** Where runs are kept. */; stateDir: string };
/** ... and an inventory. */
export type ExaminedSite = ConfiguredGateway & {
  inventory: Inventory;
  /** The nodes to look at: those that were named, else all. */
  nodes: readonly InventoryNode[];
  /** Nodes that were named on the command line: what needs a running node is tried on these alone. */
  named: readonly InventoryNode[];
};

/** A check as data. `run` may throw: a Failure or UserError is then the finding, anything else a defect of imaging. */
export type Check =
  | { name: string; needs: 'nothing'; run: (gateway: Gateway, signal: AbortSignal) => Promise<Finding[]> }
  | { name: string; needs: 'configuration'; run: (gateway: ConfiguredGateway, signal: AbortSignal) => Promise<Finding[]> }
  | { name: string; needs: 'inventory'; run: (site: ExaminedSite, signal: AbortSignal) => Promise<Finding[]> };

export function ok(message: string): Finding {
  return { status: 'ok', message, cause: null, fix: [] };
}

export function skipped(message: string): Finding {
  return { status: 'skipped', message, cause: null, fix: [] };
}

export function warning(message: string, cause: string | null, ...fix: string[]): Finding {
  return { status: 'warning', message, cause, fix };
}

export function problem(message: string, cause: string | null, ...fix: string[]): Finding {
  return { status: 'problem', message, cause, fix };
}

const order: readonly Status[] = ['ok', 'skipped', 'warning', 'problem'];

/** The worst of several findings. */
export function worst(findings: readonly Finding[]): Status {
  return order[Math.max(0, ...findings.map(({ status }) => order.indexOf(status)))] ?? 'ok';
}

/** `1 node`, `3 nodes`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
