import { resolve } from 'node:path';
import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/read-config.js';
import type { Inventory } from '../../inventory/inventory.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { inventoryWarnings } from '../../inventory/warnings.js';
import { fold } from '../../nodes/names.js';
import { parseNodeSpecs } from '../../nodes/parse.js';
import { say, sayJson, warn } from '../../util/say.js';
import { action } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { namesOf } from '../../app/site.js';
import { inventorySpec } from './inventory.spec.js';

const takes = ['json'] as const;
type CheckArguments = ArgumentsOf<typeof inventorySpec, (typeof takes)[number]>;

/** Checks an inventory as every command does before it uses one, and looks for what is allowed and yet likely wrong. */
export const check = action(inventorySpec, { words: '[FILE]', minWords: 0, maxWords: 1, options: takes, run });

/** What `check --json` prints. `nodes`: their numbers, folded. */
export type InventoryReport = { path: string; nodes: string; count: number; warnings: string[] };

async function run({ words, options }: CheckArguments, context: CommandContext): Promise<number> {
  const { config, warnings: ofConfig } = await loadConfig(context.host);
  for (const text of ofConfig) warn(context.stderr, text);
  const [word] = words;
  const path = word === undefined ? config.testbed.inventoryPath : resolve(context.host.cwd(), word);
  const names = namesOf(config);
  const inventory = await loadInventory(path, names);
  const warnings = [...inventoryWarnings(inventory, names), ...configWarnings(config, inventory)];
  const nodes = fold(inventory.numbers);
  if (options.json) sayJson(context.stdout, { path, nodes, count: inventory.nodes.length, warnings } satisfies InventoryReport, 2);
  else {
    for (const text of warnings) say(context.stdout, `${path}: ${text}`);
    say(
      context.stdout,
      `${path}: ${counted(inventory.nodes.length, 'node')} (${nodes}), ${warnings.length === 0 ? 'nothing wrong' : counted(warnings.length, 'warning')}`,
    );
  }
  return warnings.length === 0 ? exitCodes.ok : exitCodes.someFailed;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Where the configuration and the inventory do not go together. */
export function configWarnings(config: Config, inventory: Inventory): string[] {
  const warnings: string[] = [];
  const words = (config.testbed.allScope ?? '').split(/[\s,]+/).filter((word) => word !== '');
  const unknown = parseNodeSpecs(words, namesOf(config), { name: 'testbed.all_scope', kind: 'environment' }).filter(
    (number) => !inventory.numbers.has(number),
  );
  if (unknown.length > 0)
    warnings.push(`testbed.all_scope = ${config.testbed.allScope} names nodes that are not in the inventory: ${fold(unknown)}`);
  const own = config.networking.localControlIp;
  const other = own === null ? undefined : inventory.nodes.find(({ cmc, control, data }) => [cmc.ip, control.ip, data?.ip].includes(own));
  if (other) warnings.push(`networking.local_control_ip = ${own} is an address of ${other.name}`);
  return warnings;
}
