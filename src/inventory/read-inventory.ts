import { readFile } from 'node:fs/promises';
import type { NodeNames } from '../nodes/names.js';
import { messageOf, systemCode, UserError } from '../util/errors.js';
import { Inventory, type InventoryNode } from './inventory.js';
import { parseInventory } from './parse.js';

/** How many problems one message lists; the rest is counted. */
const MAX_LISTED = 10;
const HINT = 'testbed.inventory_path says where the inventory is; docs/inventory.md says what it holds';

/**
 * The testbed's inventory: a JSON list of `{cmc, control, data?}`, each `{hostname, ip, mac}`.
 *
 * @throws UserError `environment` when the file is missing, is no JSON, or any field is wrong: all problems are
 *   listed together (up to ten), each naming file, entry (from 1) and field.
 */
export async function loadInventory(path: string, names: NodeNames): Promise<Inventory> {
  const { nodes, problems } = parseInventory(parseJson(await read(path), path), names);
  if (problems.length > 0) {
    const listed = problems.slice(0, MAX_LISTED).map((problem) => `${path}: ${problem}`);
    const more = problems.length - listed.length;
    if (more > 0) listed.push(`${path}: ... and ${more} more`);
    throw new UserError('environment', listed, 'docs/inventory.md says what an inventory holds');
  }
  if (!isFilled(nodes)) throw new Error('an inventory without problems holds a node');
  return new Inventory(path, nodes);
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const why = systemCode(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new UserError('environment', `cannot read the inventory ${path}: ${why}`, HINT, { cause: error });
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    // the parser may quote the text it stumbled on, line breaks included
    const why = messageOf(error).replace(/\s+/g, ' ').slice(0, 200);
    throw new UserError('environment', `${path}: not JSON: ${why}`, HINT, { cause: error });
  }
}

function isFilled(nodes: InventoryNode[]): nodes is [InventoryNode, ...InventoryNode[]] {
  return nodes.length > 0;
}
