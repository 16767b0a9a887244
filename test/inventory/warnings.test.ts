import { describe, expect, test } from 'vitest';
import { physicalNumber } from '../../src/inventory/firmware.js';
import { Inventory, type InventoryNode } from '../../src/inventory/inventory.js';
import { inventoryWarnings } from '../../src/inventory/warnings.js';
import { oneNode } from '../helpers/nodes.js';

const names = { regularName: 'fit', rebootName: 'reboot' };

function warnings(...nodes: [InventoryNode, ...InventoryNode[]]): string[] {
  return inventoryWarnings(new Inventory('i.json', nodes), names);
}

function changed(number: number, role: 'cmc' | 'control' | 'data', change: Partial<InventoryNode['cmc']>): InventoryNode {
  const node = {
    ...oneNode(number),
    data: { hostname: `data${String(number).padStart(2, '0')}`, ip: `127.0.2.${number}`, mac: `00:03:1e:00:00:${number}` },
  };
  return { ...node, [role]: { ...node[role], ...change } };
}

describe('warnings about an inventory', () => {
  test('none for nodes and replacements that are in step', () => {
    expect(
      warnings(
        oneNode(7),
        changed(15, 'cmc', { ip: '127.0.1.41', mac: '02:00:00:00:00:41' }),
        changed(16, 'cmc', { ip: '127.0.1.107', mac: '02:00:00:00:01:07' }),
      ),
    ).toEqual([]);
  });

  test('a card whose MAC is that of another machine', () => {
    expect(warnings(oneNode(7), changed(15, 'cmc', { ip: '127.0.1.41' }))).toEqual([
      "fit15: cmc.mac 02:00:00:00:00:15 is not the card of cmc.ip 127.0.1.41: the firmware puts one machine's number into both",
    ]);
    expect(warnings(oneNode(7), changed(15, 'cmc', { mac: '02:00:00:00:00:4f' }))).toHaveLength(1);
  });

  test('none for cards of another make', () => {
    expect(warnings(changed(15, 'cmc', { mac: 'b8:27:eb:00:00:01' }))).toEqual([]);
  });

  test('cards that count in hex are in step when the others do so too', () => {
    const hex = [10, 20, 30].map((number) => changed(number, 'cmc', { mac: `02:00:00:00:00:${number.toString(16).padStart(2, '0')}` })) as [
      InventoryNode,
      ...InventoryNode[],
    ];
    expect(warnings(...hex)).toEqual([]);
    expect(warnings(...hex, oneNode(40))).toHaveLength(1);
    expect(physicalNumber(hex[1]?.cmc ?? hex[0].cmc, 'hex')).toBe(20);
    expect(physicalNumber(hex[1]?.cmc ?? hex[0].cmc, 'decimal')).toBeNull();
  });

  test('names and addresses of another number', () => {
    expect(warnings({ ...changed(7, 'control', { hostname: 'fit7' }), name: 'fit7' })).toEqual([
      'fit7: control.hostname fit7 is written fit07 elsewhere',
    ]);
    expect(warnings(changed(7, 'cmc', { hostname: 'card-a' }))).toEqual([
      'fit07: cmc.hostname card-a is not reboot07: on the command line, its node has that name',
    ]);
    expect(warnings(changed(7, 'data', { hostname: 'data08.example.org' }))).toEqual([
      "fit07: data.hostname data08.example.org is the name of another node's",
    ]);
    expect(warnings(changed(7, 'control', { ip: '127.0.3.8' }))).toEqual(['fit07: control.ip 127.0.3.8 does not end in its number, 7']);
    expect(warnings(changed(7, 'data', { ip: '127.0.2.8' }))).toEqual(['fit07: data.ip 127.0.2.8 does not end in its number, 7']);
  });
});
