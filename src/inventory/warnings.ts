import { nodeName, type NodeNames } from '../nodes/names.js';
import { CMC_MAC_PREFIX, isInStep, lastByte, numberStyle } from './firmware.js';
import type { Inventory, InventoryNode } from './inventory.js';

/**
 * What is allowed in an inventory and yet most likely a mistake, one line each beginning with the node: cards whose MAC
 * and address tell different machines, and names and addresses that do not go with the node's number.
 */
export function inventoryWarnings(inventory: Inventory, names: NodeNames): string[] {
  const style = numberStyle(inventory.nodes.map((node) => node.cmc));
  return inventory.nodes.flatMap((node) => {
    const card =
      node.cmc.mac.startsWith(`${CMC_MAC_PREFIX}:`) && !isInStep(node.cmc, style)
        ? [`cmc.mac ${node.cmc.mac} is not the card of cmc.ip ${node.cmc.ip}: the firmware puts one machine's number into both`]
        : [];
    return [...card, ...namesOutOfStep(node, names), ...addressesOutOfStep(node)].map((what) => `${node.name}: ${what}`);
  });
}

function namesOutOfStep({ number, name, cmc, data }: InventoryNode, names: NodeNames): string[] {
  const problems: string[] = [];
  const [control, card] = [nodeName(number, names.regularName), nodeName(number, names.rebootName)];
  if (name !== control) problems.push(`control.hostname ${name} is written ${control} elsewhere`);
  if (cmc.hostname !== card) problems.push(`cmc.hostname ${cmc.hostname} is not ${card}: on the command line, its node has that name`);
  const dataNumber = data === null ? null : /(\d+)$/.exec(data.hostname.split('.')[0] ?? '')?.[1];
  if (dataNumber !== null && dataNumber !== undefined && Number(dataNumber) !== number)
    problems.push(`data.hostname ${data?.hostname} is the name of another node's`);
  return problems;
}

function addressesOutOfStep({ number, control, data }: InventoryNode): string[] {
  const problems: string[] = [];
  if (lastByte(control.ip) !== number % 256) problems.push(`control.ip ${control.ip} does not end in its number, ${number}`);
  if (data !== null && lastByte(data.ip) !== number % 256) problems.push(`data.ip ${data.ip} does not end in its number, ${number}`);
  return problems;
}
