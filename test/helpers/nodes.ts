import type { InventoryNode } from '../../src/inventory/inventory.js';

/** Inventory entries of nodes `first`..`last` on loopback addresses. */
export function someNodes(first: number, last: number): InventoryNode[] {
  return Array.from({ length: last - first + 1 }, (_, index) => oneNode(first + index));
}

/** The inventory entry of one node on loopback addresses. */
export function oneNode(number: number): InventoryNode {
  const two = String(number).padStart(2, '0');
  return {
    number,
    name: `fit${two}`,
    cmc: { hostname: `reboot${two}`, ip: `127.0.1.${number}`, mac: `02:00:00:00:00:${two}` },
    control: { hostname: `fit${two}`, ip: `127.0.3.${number}`, mac: `00:03:1d:00:00:${two}` },
    data: null,
  };
}

/** The inventory entry of a node whose control address is this. */
export function nodeAt(ip: string): InventoryNode {
  const node = oneNode(7);
  return { ...node, control: { ...node.control, ip } };
}
