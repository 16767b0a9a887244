import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Inventory } from '../../src/inventory/inventory.js';
import { loadInventory } from '../../src/inventory/read-inventory.js';
import { UserError } from '../../src/util/errors.js';
import { packageRoot } from '../../src/util/dist.js';
import { rejected } from '../helpers/thrown.js';

const names = { regularName: 'fit', rebootName: 'reboot' };
let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imaging-inventory-'));
  path = join(folder, 'inventory.json');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Nic = Record<string, unknown>;
type Entry = { cmc?: unknown; control?: unknown; data?: unknown } & Record<string, unknown>;

function nic(prefix: string, net: number, number: number): Nic {
  const digits = String(number).padStart(2, '0');
  return { hostname: `${prefix}${digits}`, ip: `192.168.${net}.${number}`, mac: `02:00:00:00:0${net}:${digits}` };
}

function entry(number: number, changes: Entry = {}): Entry {
  return { cmc: nic('reboot', 1, number), control: nic('fit', 3, number), data: nic('data', 2, number), ...changes };
}

async function load(value: unknown): Promise<Inventory> {
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
  return loadInventory(path, names);
}

/** The problems a file has, without the file's name that each must start with. */
async function problems(value: unknown): Promise<string[]> {
  const error = await rejected(UserError, load(value));
  expect(error.kind).toBe('environment');
  return error.message.split('\n').map((line) => {
    expect(line.startsWith(`${path}: `)).toBe(true);
    return line.slice(path.length + 2);
  });
}

describe('an inventory', () => {
  test('is read as the example has it', async () => {
    const inventory = await loadInventory(join(packageRoot, 'inventory/example.json'), names);
    expect(inventory.nodes.map(({ number, name }) => [number, name])).toEqual([
      [1, 'fit01'],
      [2, 'fit02'],
      [18, 'fit18'],
    ]);
    expect(inventory.byNumber(18)).toEqual({
      number: 18,
      name: 'fit18',
      cmc: { hostname: 'reboot18', ip: '192.168.1.39', mac: '02:00:00:00:00:39' },
      control: { hostname: 'fit18', ip: '192.168.3.18', mac: '00:03:1d:0e:05:7f' },
      data: null,
    });
  });

  test('is sorted by number, finds nodes by number and control address, and remembers the first entry', async () => {
    const inventory = await load([entry(41), entry(7), entry(10, { data: undefined }), entry(9, { data: null, comment: 'spare' })]);
    expect(inventory.nodes.map((node) => node.number)).toEqual([7, 9, 10, 41]);
    expect(inventory.numbers.has(41)).toBe(true);
    expect(inventory.numbers.has(1)).toBe(false);
    expect(inventory.byControlIp('192.168.3.9')).toMatchObject({ name: 'fit09', data: null });
    expect(inventory.byControlIp('192.168.1.9')).toBeUndefined();
    expect(inventory.byNumber(8)).toBeUndefined();
    expect(inventory.byNumber(10)?.data).toBeNull();
    expect(inventory.firstControlIp).toBe('192.168.3.41');
  });

  test('gets its MAC addresses in lower case, with colons', async () => {
    const inventory = await load([entry(1, { control: { ...nic('fit', 3, 1), mac: '00-03-1D-0E-03-19' } })]);
    expect(inventory.byNumber(1)?.control.mac).toBe('00:03:1d:0e:03:19');
  });

  test('may start with a byte order mark', async () => {
    expect((await load(`\uFEFF${JSON.stringify([entry(1)])}`)).nodes).toHaveLength(1);
  });

  test('follows the configured prefixes', async () => {
    await writeFile(path, JSON.stringify([{ cmc: nic('cm', 1, 3), control: nic('node', 3, 3) }]));
    const inventory = await loadInventory(path, { regularName: 'node', rebootName: 'cm' });
    expect(inventory.nodes[0]).toMatchObject({ number: 3, name: 'node03' });
  });
});

describe('a wrong inventory is refused, naming file, entry and field', () => {
  test.each<[string, Entry, string]>([
    [
      'a short MAC',
      { control: { ...nic('fit', 3, 2), mac: '00:03' } },
      'entry 2: control.mac: "00:03" is not a MAC address (six hex pairs)',
    ],
    [
      'a MAC of mixed separators',
      { cmc: { ...nic('reboot', 1, 2), mac: '00:03-1d:0e:03:19' } },
      'entry 2: cmc.mac: "00:03-1d:0e:03:19" is not a MAC address (six hex pairs)',
    ],
    [
      'an address above 255',
      { data: { ...nic('data', 2, 2), ip: '192.168.2.256' } },
      'entry 2: data.ip: "192.168.2.256" is not an IPv4 address',
    ],
    [
      'an address with leading zeros',
      { cmc: { ...nic('reboot', 1, 2), ip: '192.168.1.010' } },
      'entry 2: cmc.ip: "192.168.1.010" is not an IPv4 address',
    ],
    ['a number for an address', { cmc: { ...nic('reboot', 1, 2), ip: 3 } }, 'entry 2: cmc.ip: 3 is not an IPv4 address'],
    [
      'a host name with a blank',
      { cmc: { ...nic('reboot', 1, 2), hostname: 'reboot 2' } },
      'entry 2: cmc.hostname: "reboot 2" is not a host name',
    ],
    [
      'a host name of another kind',
      { control: { ...nic('fit', 3, 2), hostname: 'fitness' } },
      'entry 2: control.hostname: "fitness" is not fit and a number (testbed.regularname)',
    ],
    [
      'a CMC of another node',
      { cmc: { ...nic('reboot', 1, 2), hostname: 'reboot05' } },
      'entry 2: cmc.hostname: "reboot05" is the card of another node than fit02',
    ],
    ['no control', { control: undefined }, 'entry 2: control: missing'],
    ['no mac', { control: { hostname: 'fit02', ip: '192.168.3.2' } }, 'entry 2: control.mac: missing'],
    ['a list for an interface', { cmc: [] }, 'entry 2: cmc: an object with hostname, ip and mac is expected, this is a list'],
    ['half a data interface', { data: {} }, 'entry 2: data.hostname: missing\nentry 2: data.ip: missing\nentry 2: data.mac: missing'],
  ])('%s', async (_, changes, expected) => {
    expect(await problems([entry(1), entry(2, changes)])).toEqual(expected.split('\n'));
  });

  test('duplicates of host name, ip and mac, over all interfaces', async () => {
    const second = {
      ...entry(2),
      control: { ...nic('fit', 3, 2), ip: '192.168.1.1' },
      data: { ...nic('data', 2, 2), mac: '02:00:00:00:03:01', hostname: 'DATA01' },
    };
    expect(await problems([entry(1), second])).toEqual([
      'entry 2: control.ip: "192.168.1.1" is already entry 1\'s cmc.ip',
      'entry 2: data.hostname: "DATA01" is already entry 1\'s data.hostname',
      'entry 2: data.mac: "02:00:00:00:03:01" is already entry 1\'s control.mac',
    ]);
    const upper = { ...nic('fit', 3, 2), mac: 'AA:00:00:00:00:01' };
    const lower = { ...nic('data', 2, 2), mac: 'aa:00:00:00:00:01' };
    expect(await problems([entry(2, { control: upper, data: lower })])).toEqual([
      'entry 1: data.mac: "aa:00:00:00:00:01" is already entry 1\'s control.mac',
    ]);
  });

  test('two host names of one node', async () => {
    const again = entry(2, { cmc: nic('other', 1, 2), control: { ...nic('fit', 3, 2), hostname: 'fit1' } });
    expect(await problems([entry(1), again])).toEqual(['entry 2: control.hostname: "fit1" is the same node as fit01']);
  });

  test('all problems together, ten lines and a count', async () => {
    const listed = await problems(Array.from({ length: 14 }, (_, i) => entry(i + 1, { cmc: undefined })));
    expect(listed).toHaveLength(11);
    expect(listed[9]).toBe('entry 10: cmc: missing');
    expect(listed[10]).toBe('... and 4 more');
  });

  test('what is no list of objects', async () => {
    expect(await problems({ nodes: [] })).toEqual(['a list of entries is expected, this is an object']);
    expect(await problems([])).toEqual(['the list is empty: it holds no node']);
    expect(await problems([entry(1), 'fit02', null])).toEqual([
      'entry 2: an object with cmc and control is expected, this is "fit02"',
      'entry 3: an object with cmc and control is expected, this is null',
    ]);
  });

  test('what is no JSON, or not there', async () => {
    expect((await problems('[{"cmc": }]'))[0]).toMatch(/^not JSON: /);
    expect((await problems(''))[0]).toMatch(/^not JSON: /);
    const missing = await rejected(UserError, loadInventory(join(folder, 'none.json'), names));
    expect(missing).toMatchObject({
      kind: 'environment',
      message: `cannot read the inventory ${join(folder, 'none.json')}: there is no such file`,
    });
    expect(missing.hint).toContain('inventory_path');
    expect((await rejected(UserError, loadInventory(folder, names))).message).toContain('EISDIR');
  });
});
