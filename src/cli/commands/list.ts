import { loadConfig } from '../../config/load.js';
import { listImages, type ListedImage } from '../../images/list.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { loadInventory } from '../../inventory/load.js';
import { formatBytes } from '../../monitor/format.js';
import type { Arguments, CommandContext } from '../command.js';
import { exitCodes } from '../exit.js';
import { flag } from '../options.js';
import { namesOf } from '../site.js';
import { configText } from './config.js';

/** Lists images (the default), configuration, inventory, or all of them. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const { config, warnings, describe } = await loadConfig(context.host);
  for (const text of warnings) context.stderr.write(`imaging: warning: ${text}\n`);
  const all = flag(args.options, 'all');
  const [wantConfig, wantInventory] = [all || flag(args.options, 'config'), all || flag(args.options, 'inventory')];
  const wantImages = all || flag(args.options, 'images') || !(wantConfig || wantInventory);
  const images = wantImages ? matching(await listImages(config.frisbee.imagesDir), args.words) : null;
  const inventory = wantInventory ? await loadInventory(config.testbed.inventoryPath, namesOf(config)) : null;
  if (flag(args.options, 'json')) {
    const parts = { ...(wantConfig ? { config: describe() } : {}), ...(images ? { images } : {}), ...(inventory ? { inventory: inventory.nodes } : {}) };
    context.stdout.write(`${JSON.stringify(parts, null, 2)}\n`);
    return exitCodes.ok;
  }
  const parts: string[] = [];
  if (wantConfig) parts.push(configText(describe()));
  if (inventory) parts.push(inventoryText(inventory.nodes));
  if (images) parts.push(imagesText(images, args.words, config.frisbee.imagesDir));
  context.stdout.write(parts.join('\n'));
  return exitCodes.ok;
}

function matching(images: readonly ListedImage[], words: readonly string[]): ListedImage[] {
  return images.filter((image) => words.length === 0 || words.some((word) => [image.name, ...image.aliases].some((name) => name.includes(word))));
}

function imagesText(images: readonly ListedImage[], words: readonly string[], dir: string): string {
  if (images.length === 0) return `no ${words.length > 0 ? 'matching ' : ''}images in ${dir}\n`;
  const width = Math.max(...images.map((image) => image.name.length));
  const rows = images.map(({ name, sizeBytes, mtimeMs, aliases, brokenLinkTo }) => {
    if (brokenLinkTo !== null) return `${name.padEnd(width)}  broken link to ${brokenLinkTo}`;
    const date = new Date(mtimeMs - new Date(mtimeMs).getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace('T', ' ');
    return `${name.padEnd(width)}  ${formatBytes(sizeBytes).padStart(9)}  ${date}${aliases.length > 0 ? `  aka ${aliases.join(', ')}` : ''}`;
  });
  return `${rows.join('\n')}\n`;
}

function inventoryText(nodes: readonly InventoryNode[]): string {
  const rows = nodes.map(({ cmc, control, data }) => {
    const parts = [`cmc ${cmc.hostname} ${cmc.ip} ${cmc.mac}`, `control ${control.hostname} ${control.ip} ${control.mac}`, ...(data ? [`data ${data.hostname} ${data.ip} ${data.mac}`] : [])];
    return parts.join('   ');
  });
  return `${rows.join('\n')}\n`;
}
