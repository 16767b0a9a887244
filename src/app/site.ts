import type { Config } from '../config/config.js';
import { loadConfig } from '../config/read-config.js';
import { guessLocalControlIp } from '../config/local-ip.js';
import { runsDir } from '../config/runs-dir.js';
import type { Inventory, InventoryNode } from '../inventory/inventory.js';
import { loadInventory } from '../inventory/read-inventory.js';
import { fold, type NodeNames } from '../nodes/names.js';
import type { SetResolver } from '../nodes/parse.js';
import { switchOff } from '../native/switches.js';
import { checkKnown, emptySelection, selectNodes, type Selection } from '../nodes/select.js';
import type { Host } from '../util/host.js';
import type { AppContext } from './context.js';
import type { RunSettings, SkippedNode } from './node-workflow.js';

/** The testbed as configuration and inventory describe it. */
export type Site = {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly names: NodeNames;
  readonly inventory: Inventory;
  /** Where run folders, boot records and the health history are. */
  readonly stateDir: string;
  readonly sets: SetResolver | undefined;
};

/** Which nodes a person means: node specs, or all; with neither the variable NODES says. */
export type NodeRequest = { words: readonly string[]; allNodes: boolean };

/** @throws UserError `environment` for a configuration or an inventory that cannot be used */
export async function openSite(context: Pick<AppContext, 'host' | 'argv'>): Promise<Site> {
  const { config, warnings } = await loadConfig(context.host);
  switchOff(config.native.off);
  const names = namesOf(config);
  const inventory = await loadInventory(config.testbed.inventoryPath, names);
  const stateDir = await runsDir(config.runs.dir, context.host);
  return { config, warnings, names, inventory, stateDir, sets: await setsOf(config, context) };
}

/** What `@...` means in node specs; undefined when none that may count has any. */
export async function setsOf(config: Config, { host, argv }: Pick<AppContext, 'host' | 'argv'>): Promise<SetResolver | undefined> {
  const { NODES, ALL_NODES } = host.env;
  if (![...argv, NODES, ALL_NODES, config.testbed.allScope].some((text) => text?.includes('@'))) return undefined;
  const stateDir = await runsDir(config.runs.dir, host).catch(() => null); // a group needs none
  return (await import('./node-sets.js')).setResolver(config.groups, namesOf(config), stateDir);
}

export function namesOf(config: Config): NodeNames {
  return { regularName: config.testbed.regularName, rebootName: config.testbed.rebootName };
}

/** How the site's runs are kept: part of every workflow on nodes. `skipped`: nodes that were selected and are left alone. */
export function runSettings({ config, stateDir }: Site, skipped: readonly SkippedNode[] = []): RunSettings {
  const { keep, keepDays, prometheusFile } = config.runs;
  return { stateDir, skipped, retention: { keep, keepDays }, prometheusFile, quarantineAfter: config.nodes.quarantineAfter };
}

/** What the request, and else NODES select; not yet compared with the inventory. `sets`: see `setsOf`. */
export function selection(request: NodeRequest, config: Config, { env }: Pick<Host, 'env'>, sets: SetResolver | undefined): Selection {
  return selectNodes({
    args: request.words,
    allNodes: request.allNodes,
    env,
    allScope: config.testbed.allScope,
    names: namesOf(config),
    ...(sets ? { resolve: sets } : {}),
  });
}

/**
 * The selected nodes: every one is in the inventory, and there is at least one.
 *
 * @throws UserError `usage` when that is not so
 */
export function selectedNodes(request: NodeRequest, site: Site, host: Pick<Host, 'env'>): InventoryNode[] {
  const selected = selection(request, site.config, host, site.sets);
  checkKnown(selected, site.inventory.numbers, site.names);
  const nodes = selected.numbers.flatMap((number) => site.inventory.byNumber(number) ?? []);
  if (nodes.length === 0) throw emptySelection(selected, site.names);
  return nodes;
}

/** Folds node names into a short set of numbers: `1-3,7`. */
export function foldingOf(site: Site): (names: string[]) => string {
  const numbers = new Map(site.inventory.nodes.map((node) => [node.name, node.number]));
  return (names) => fold(names.flatMap((name) => numbers.get(name) ?? []));
}

/** The gateway's own address on the control network. */
export async function localControlIp(site: Site): Promise<string> {
  return site.config.networking.localControlIp ?? (await guessLocalControlIp(site.inventory.firstControlIp));
}
