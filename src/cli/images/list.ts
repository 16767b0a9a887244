import { loadConfig } from '../../config/load.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { loadInventory } from '../../inventory/load.js';
import { printable } from '../../util/text.js';
import { sayJson, sayText, warn } from '../../util/say.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import { exitCodes } from '../kit/exit.js';
import { choiceOf, chooseImages, imagesJson, imagesText, knownImages, namesText } from './list-images.js';
import { flag } from '../kit/options.js';
import { namesOf } from '../../app/site.js';
import { configText } from '../config/config.js';

/** Lists images (the default), configuration, inventory, or all of them. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const { config, warnings, describe } = await loadConfig(context.host);
  for (const text of warnings) warn(context.stderr, text);
  const all = flag(args.options, 'all');
  const [wantConfig, wantInventory] = [all || flag(args.options, 'config'), all || flag(args.options, 'inventory')];
  const wantImages = all || flag(args.options, 'images') || !(wantConfig || wantInventory);
  const { imagesDir } = config.frisbee;
  const images = wantImages ? chooseImages(await knownImages(imagesDir, context.host.cwd()), choiceOf(args.words, args.options)) : null;
  const inventory = wantInventory ? await loadInventory(config.testbed.inventoryPath, namesOf(config)) : null;
  if (flag(args.options, 'json')) {
    const parts = {
      ...(wantConfig ? { config: describe() } : {}),
      ...(images ? { images: await imagesJson(images) } : {}),
      ...(inventory ? { inventory: inventory.nodes } : {}),
    };
    sayJson(context.stdout, parts, 2);
    return exitCodes.ok;
  }
  const parts: string[] = [];
  if (wantConfig) parts.push(configText(describe()));
  if (inventory) parts.push(inventoryText(inventory.nodes));
  if (images)
    parts.push(
      flag(args.options, 'narrow')
        ? namesText(images)
        : imagesText(images, args.words.length > 0 || flag(args.options, 'shared'), imagesDir),
    );
  sayText(context.stdout, parts.join('\n'));
  return exitCodes.ok;
}

function inventoryText(nodes: readonly InventoryNode[]): string {
  const rows = nodes.map(({ cmc, control, data }) => {
    const parts = [
      `cmc ${cmc.hostname} ${cmc.ip} ${cmc.mac}`,
      `control ${control.hostname} ${control.ip} ${control.mac}`,
      ...(data ? [`data ${data.hostname} ${data.ip} ${data.mac}`] : []),
    ];
    return parts.join('   ');
  });
  return `${rows.map(printable).join('\n')}\n`;
}
