import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { guessLocalControlIp } from '../config/local-ip.js';
import { runsDir } from '../config/runs-dir.js';
import type { Inventory, InventoryNode } from '../inventory/inventory.js';
import { loadInventory } from '../inventory/load.js';
import { fold, type NodeNames } from '../nodes/names.js';
import { checkKnown, emptySelection, selectNodes, type Selection } from '../nodes/select.js';
import type { Arguments, CommandContext } from './command.js';
import { flag } from './options.js';

/** The testbed as configuration and inventory describe it. */
export type Site = { config: Config; warnings: string[]; names: NodeNames; inventory: Inventory; stateDir: string };

export async function openSite(context: CommandContext): Promise<Site> {
  const { config, warnings } = await loadConfig(context.host);
  const names = namesOf(config);
  const inventory = await loadInventory(config.testbed.inventoryPath, names);
  return { config, warnings, names, inventory, stateDir: await runsDir(config.runs.dir, context.host) };
}

export function namesOf(config: Config): NodeNames {
  return { regularName: config.testbed.regularName, rebootName: config.testbed.rebootName };
}

/** What the command line, `-a` and NODES select; not yet compared with the inventory. */
export function selection(args: Arguments, config: Config, context: CommandContext): Selection {
  return selectNodes({
    args: args.words,
    allNodes: flag(args.options, 'all-nodes'),
    env: context.host.env,
    allScope: config.testbed.allScope,
    names: namesOf(config),
  });
}

/** The selected nodes; every one is in the inventory, and there is at least one. */
export function selectedNodes(args: Arguments, site: Site, context: CommandContext): InventoryNode[] {
  const selected = selection(args, site.config, context);
  checkKnown(selected, site.inventory.numbers, site.names);
  const nodes = selected.numbers.flatMap((number) => site.inventory.byNumber(number) ?? []);
  if (nodes.length === 0) throw emptySelection(selected, site.names);
  return nodes;
}

/** Folds node names into a short set of numbers: `1-3,7`. */
export function folder(site: Site): (names: string[]) => string {
  const numbers = new Map(site.inventory.nodes.map((node) => [node.name, node.number]));
  return (names) => fold(names.flatMap((name) => numbers.get(name) ?? []));
}

/** The gateway's own address on the control network. */
export async function localControlIp(site: Site): Promise<string> {
  return site.config.networking.localControlIp ?? (await guessLocalControlIp(site.inventory.firstControlIp));
}
