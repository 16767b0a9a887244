import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { guessLocalControlIp } from '../config/local-ip.js';
import { runsDir } from '../config/runs-dir.js';
import type { Inventory, InventoryNode } from '../inventory/inventory.js';
import { loadInventory } from '../inventory/load.js';
import { fold, type NodeNames } from '../nodes/names.js';
import { checkKnown, emptySelection, selectNodes, type Selection } from '../nodes/select.js';
import type { SetResolver } from '../nodes/parse.js';
import type { Arguments, CommandContext } from '../cli/kit/command.js';
import type { RunSettings, SkippedNode } from './node-workflow.js';
import { flag } from '../cli/kit/options.js';

/** Leaves out nodes in quarantine; see `withoutQuarantined`. */
type Quarantine = (nodes: readonly InventoryNode[], site: Site) => InventoryNode[];

/** The testbed as configuration and inventory describe it. */
export type Site = {
  config: Config;
  warnings: string[];
  names: NodeNames;
  inventory: Inventory;
  stateDir: string;
  sets: SetResolver | undefined /** Selected, but left alone. */;
  skipped: SkippedNode[];
  quarantine: Quarantine | null;
};

export async function openSite(context: CommandContext): Promise<Site> {
  const { config, warnings } = await loadConfig(context.host);
  const names = namesOf(config);
  const inventory = await loadInventory(config.testbed.inventoryPath, names);
  const stateDir = await runsDir(config.runs.dir, context.host);
  // what few commands need is loaded for them alone
  const quarantine = config.nodes.quarantineAfter > 0 ? (await import('./quarantine.js')).withoutQuarantined : null;
  return { config, warnings, names, inventory, stateDir, sets: await setsOf(config, context), skipped: [], quarantine };
}

/** What `@...` means in node specs; undefined when none that may count has any. */
export async function setsOf(config: Config, context: CommandContext): Promise<SetResolver | undefined> {
  const { NODES, ALL_NODES } = context.host.env;
  if (![...context.argv, NODES, ALL_NODES, config.testbed.allScope].some((text) => text?.includes('@'))) return undefined;
  const stateDir = await runsDir(config.runs.dir, context.host).catch(() => null); // a group needs none
  return (await import('./node-sets.js')).setResolver(config.groups, namesOf(config), stateDir);
}

export function namesOf(config: Config): NodeNames {
  return { regularName: config.testbed.regularName, rebootName: config.testbed.rebootName };
}

/** How the site's runs are kept: part of every workflow on nodes. */
export function runSettings({ config, stateDir, skipped }: Site): RunSettings {
  const { keep, keepDays, prometheusFile } = config.runs;
  return { stateDir, skipped, retention: { keep, keepDays }, prometheusFile, quarantineAfter: config.nodes.quarantineAfter };
}

/** What the command line, `-a` and NODES select; not yet compared with the inventory. `sets`: see `setsOf`. */
export function selection(args: Arguments, config: Config, context: CommandContext, sets: SetResolver | undefined): Selection {
  return selectNodes({
    args: args.words,
    allNodes: flag(args.options, 'all-nodes'),
    env: context.host.env,
    allScope: config.testbed.allScope,
    names: namesOf(config),
    ...(sets ? { resolve: sets } : {}),
  });
}

/**
 * The selected nodes; every one is in the inventory, and there is at least one. For commands with the option
 * `--include-quarantined`, those in quarantine are left out unless it is given, and put into `site.skipped`.
 */
export function selectedNodes(args: Arguments, site: Site, context: CommandContext): InventoryNode[] {
  const selected = selection(args, site.config, context, site.sets);
  checkKnown(selected, site.inventory.numbers, site.names);
  const nodes = selected.numbers.flatMap((number) => site.inventory.byNumber(number) ?? []);
  if (nodes.length === 0) throw emptySelection(selected, site.names);
  if (!site.quarantine || !('include-quarantined' in args.options) || flag(args.options, 'include-quarantined')) return nodes;
  return site.quarantine(nodes, site);
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
