import { resolve } from 'node:path';
import { loadConfig } from '../../config/read-config.js';
import { numberStyle, physicalNumber } from '../../inventory/firmware.js';
import type { Interface, InventoryNode } from '../../inventory/inventory.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { checkKnown } from '../../nodes/select.js';
import { say, sayJson, warn } from '../../util/say.js';
import { action } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { namesOf, selection, setsOf } from '../../app/site.js';
import { inventorySpec } from './inventory.spec.js';

const takes = ['file', 'json'] as const;
type ShowArguments = ArgumentsOf<typeof inventorySpec, (typeof takes)[number]>;

/** Shows who sits where: for each slot the physical machine and its three interfaces. */
export const show = action(inventorySpec, { words: '[node ...]', minWords: 0, maxWords: Infinity, options: takes, run });

/** `physical` is null when the card's MAC and address do not tell. */
export type InventoryRow = { slot: number; physical: number | null; cmc: Interface; control: Interface; data: Interface | null };

async function run({ words, options }: ShowArguments, context: CommandContext): Promise<number> {
  const { config, warnings } = await loadConfig(context.host);
  for (const text of warnings) warn(context.stderr, text);
  const { file } = options;
  const names = namesOf(config);
  const sets = await setsOf(config, context);
  const inventory = await loadInventory(file === undefined ? config.testbed.inventoryPath : resolve(context.host.cwd(), file), names);
  const style = numberStyle(inventory.nodes.map((node) => node.cmc));
  const rows = selected(inventory.nodes).map(
    ({ number, cmc, control, data }): InventoryRow => ({ slot: number, physical: physicalNumber(cmc, style), cmc, control, data }),
  );
  if (options.json) sayJson(context.stdout, rows, 2);
  else say(context.stdout, ...table(rows));
  return exitCodes.ok;

  function selected(nodes: readonly InventoryNode[]): readonly InventoryNode[] {
    if (words.length === 0) return nodes; // a look at the inventory is not a run: NODES plays no part
    const chosen = selection({ words, allNodes: false }, config, context.host, sets);
    checkKnown(chosen, inventory.numbers, names);
    const numbers = new Set(chosen.numbers);
    return nodes.filter((node) => numbers.has(node.number));
  }
}

function table(rows: readonly InventoryRow[]): string[] {
  const nic = (one: Interface | null): string[] => (one === null ? ['-', '', ''] : [one.hostname, one.ip, one.mac]);
  const cells = rows.map(({ slot, physical, cmc, control, data }) => [
    String(slot),
    physical === null ? '?' : String(physical),
    ...nic(cmc),
    ...nic(control),
    ...nic(data),
  ]);
  const lines = [['slot', 'physical', 'cmc', '', '', 'control', '', '', 'data', '', ''], ...cells];
  const widths = lines.reduce<number[]>((widest, line) => line.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)), []);
  const texts = lines.map((line) =>
    line
      .map((cell, index) => (index < 2 ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const moved = rows
    .filter(({ slot, physical }) => physical !== null && physical !== slot)
    .map(({ slot, physical }) => `machine ${physical} in slot ${slot}`);
  return moved.length === 0 ? texts : [...texts, '', `replacement${moved.length === 1 ? '' : 's'}: ${moved.join(', ')}`];
}
