import { nodeSpecs, optional, path, prefix } from '../kinds.js';
import { section } from '../section.js';

/** What the testbed's machines are called. */
// biome-ignore format: a table, a key a line
export const testbed = section('testbed', {
  regularName: { key: 'regularname', kind: prefix, default: 'fit', status: 'kept', meaning: 'what the host names of nodes begin with: fit07' },
  rebootName: { key: 'rebootname', kind: prefix, default: 'reboot', status: 'kept', meaning: 'what the host names of CMC cards begin with: reboot07' },
  inventoryPath: { key: 'inventory_path', kind: path, default: '/etc/imaging-inventory.json', status: 'kept', meaning: 'the inventory: the slots of the testbed and their addresses' },
  allScope: { key: 'all_scope', kind: optional(nodeSpecs), default: '', status: 'new', meaning: 'what -a means when ALL_NODES is not set, such as 1-37' },
});
