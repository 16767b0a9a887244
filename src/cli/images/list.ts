import { loadConfig, type Setting } from '../../config/read-config.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { printable } from '../../util/text.js';
import { sayJson, sayText, warn } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { choiceOf, chooseImages, imagesJson, imagesText, knownImages, namesText, type ImageEntry } from './list-images.js';
import { namesOf } from '../../app/site.js';
import { configText } from '../config/config.js';
import type { listSpec } from './list.spec.js';

/** What `imaging-list --json` prints: what was asked for. */
export type ListOutput = { config?: Setting[]; images?: ImageEntry[]; inventory?: readonly InventoryNode[] };

/** Lists images (the default), configuration, inventory, or all of them. */
export async function run({ words, options }: ArgumentsOf<typeof listSpec>, context: CommandContext): Promise<number> {
  const { config, warnings, describe } = await loadConfig(context.host);
  for (const text of warnings) warn(context.stderr, text);
  const all = options.all;
  const [wantConfig, wantInventory] = [all || options.config, all || options.inventory];
  const wantImages = all || options.images || !(wantConfig || wantInventory);
  const { imagesDir } = config.frisbee;
  const images = wantImages ? chooseImages(await knownImages(imagesDir, context.host.cwd()), choiceOf(words, options)) : null;
  const inventory = wantInventory ? await loadInventory(config.testbed.inventoryPath, namesOf(config)) : null;
  if (options.json) {
    const parts: ListOutput = {
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
  if (images) parts.push(options.narrow ? namesText(images) : imagesText(images, words.length > 0 || options.shared, imagesDir));
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
