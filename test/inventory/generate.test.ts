import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIni } from '../../src/config/ini-text.js';
import { parseMachineMap } from '../../src/inventory/generate/machine-map.js';
import { cmcMac, dataMac } from '../../src/inventory/generate/macs.js';
import { addressIn, netmask, overlap, parseNetwork, type Network } from '../../src/inventory/generate/network.js';
import { outputFiles } from '../../src/inventory/generate/outputs.js';
import { placeMachines } from '../../src/inventory/generate/place-machines.js';
import { parseSiteDescription, siteKeys, type SiteDescription } from '../../src/inventory/generate/site-description.js';
import { parseInventory } from '../../src/inventory/parse.js';
import { packageRoot } from '../../src/util/dist.js';

const MAP = `
# physical number, mac, slot, wireless cards
14 00:03:1d:0e:03:55 14      intel atheros
15 00-03-1D-0E-03-63 Preplab intel atheros # broken
38 00:03:1d:0e:05:63 preplab
40 00:03:1d:0e:04:00 greece intel
41 00:03:1d:0e:05:67 15      intel atheros
`;
const SITE =
  '[site]\nname = here\nmode = production\nmap = machines.map\n[networks]\ncmc = 10.1.1.0/24\ncontrol = 10.1.3.0/24\ndata = 10.1.2.0/24\n';

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === null) throw new Error(`${text} is no network`);
  return parsed;
}

function site(ini = SITE): SiteDescription {
  const { site: parsed, problems } = parseSiteDescription(parseIni(ini, 'here.ini'), 'here.ini');
  expect(problems).toEqual([]);
  if (parsed === null) throw new Error('no site without a problem');
  return parsed;
}

const siteProblems = (ini: string): string[] => parseSiteDescription(parseIni(ini, 'here.ini'), 'here.ini').problems;
const mapProblems = (map: string): string[] => parseMachineMap(map, 'm').problems;
const placed = (ini: string, map = MAP) => placeMachines(site(ini), parseMachineMap(map, 'm').machines, 'm');
const summary = (ini: string, map = MAP): unknown[] => {
  const { nodes, problems } = placed(ini, map);
  expect(problems).toEqual([]);
  return nodes.map(({ physical, cmc, control, data }) => [
    physical,
    cmc.hostname,
    cmc.ip,
    cmc.mac,
    control.hostname,
    control.ip,
    control.mac,
    data?.ip,
    data?.mac,
  ]);
};

describe('networks', () => {
  test('give machine N the address that ends in N, as far as they reach', () => {
    expect(addressIn(network('192.168.1.0/24'), 254)).toBe('192.168.1.254');
    expect(addressIn(network('192.168.1.0/24'), 255)).toBeNull();
    expect(addressIn(network('10.0.0.0/8'), 7)).toBe('10.0.0.7');
    expect(addressIn(network('10.1.1.0/26'), 62)).toBe('10.1.1.62');
    expect(addressIn(network('10.1.1.0/26'), 63)).toBeNull();
    expect(addressIn(network('255.255.255.0/24'), 1)).toBe('255.255.255.1');
    expect(netmask(network('10.1.1.0/26'))).toBe('255.255.255.192');
    expect(netmask(network('10.0.0.0/8'))).toBe('255.0.0.0');
  });

  test.each([
    '192.168.1.0',
    '192.168.1.1/24',
    '192.168.1.128/25',
    '192.168.1.0/16',
    '192.168.1.0/33',
    '192.168.1.0/24/24',
    '192.168.1.0/x',
    '256.1.1.0/24',
    '0.0.0.0/0',
  ])('%s is none', (text) => {
    expect(parseNetwork(text)).toBeNull();
  });

  test('overlap when one address is in both', () => {
    expect(overlap(network('10.1.0.0/16'), network('10.1.7.0/24'))).toBe(true);
    expect(overlap(network('10.1.7.0/24'), network('10.1.0.0/16'))).toBe(true);
    expect(overlap(network('10.1.7.0/24'), network('10.1.8.0/24'))).toBe(false);
  });
});

describe('MAC addresses', () => {
  test('of cards hold the number in decimal digits', () => {
    expect([1, 41, 107, 254].map(cmcMac)).toEqual(['02:00:00:00:00:01', '02:00:00:00:00:41', '02:00:00:00:01:07', '02:00:00:00:02:54']);
  });

  test('of data interfaces are one less, with a borrow', () => {
    expect(dataMac('00:03:1d:0e:03:19')).toBe('00:03:1d:0e:03:18');
    expect(dataMac('00:03:1d:0e:04:00')).toBe('00:03:1d:0e:03:ff');
    expect(dataMac('00:00:00:00:00:00')).toBeNull();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 48 - 1 }), (number) => {
        const written = (value: number): string => (value.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');
        expect(dataMac(written(number))).toBe(written(number - 1));
      }),
    );
  });
});

describe('a map of machines', () => {
  test('is read line by line, comments and wireless cards aside', () => {
    expect(parseMachineMap(`\uFEFF${MAP.replaceAll('\n', '\r\n')}`, 'm')).toEqual({
      problems: [],
      machines: [
        { line: 3, number: 14, mac: '00:03:1d:0e:03:55', place: 14 },
        { line: 4, number: 15, mac: '00:03:1d:0e:03:63', place: 'preplab' },
        { line: 5, number: 38, mac: '00:03:1d:0e:05:63', place: 'preplab' },
        { line: 6, number: 40, mac: '00:03:1d:0e:04:00', place: 'greece' },
        { line: 7, number: 41, mac: '00:03:1d:0e:05:67', place: 15 },
      ],
    });
  });

  test.each([
    ['1 00:03:1d:0e:03:19', '2 words, number mac slot [wlan0 [wlan1]] is expected'],
    ['1 00:03:1d:0e:03:19 1 a b c', '6 words, number mac slot [wlan0 [wlan1]] is expected'],
    ['0 00:03:1d:0e:03:19 1', `"0" is not a machine's number (1 to 254)`],
    ['x 00:03:1d:0e:03:19 1', `"x" is not a machine's number (1 to 254)`],
    ['255 00:03:1d:0e:03:19 1', `"255" is not a machine's number (1 to 254)`],
    ['1 00:03:1d:0e:03 1', '"00:03:1d:0e:03" is not a MAC address (six hex pairs)'],
    ['1 01:03:1d:0e:03:19 1', "01:03:1d:0e:03:19 is no machine's MAC address: it is a multicast address"],
    ['1 00:00:00:00:00:00 1', "00:00:00:00:00:00 is no machine's MAC address: it is all zeros"],
    ['1 00:03:1d:0e:03:19 255', '"255" is neither a slot (1 to 254) nor a place (letters, digits, - and _, a letter first)'],
    ['1 00:03:1d:0e:03:19 1st', '"1st" is neither a slot (1 to 254) nor a place (letters, digits, - and _, a letter first)'],
  ])('%s', (line, expected) => {
    expect(mapProblems(`# a map\n${line}\n`)).toEqual([`m, line 2: ${expected}`]);
  });

  test('with the same number, MAC or slot twice: all of it is told, with both lines', () => {
    const map =
      '1 00:03:1d:0e:03:19 1\n2 00:03:1d:0e:03:21 2\n1 00:03:1D:0E:03:21 2\n3 zz 3\n5 00:03:1d:0e:03:25 preplab\n6 00:03:1d:0e:03:27 preplab';
    expect(mapProblems(map)).toEqual([
      'm, line 3: machine 1 is already on line 1',
      'm, line 3: 00:03:1d:0e:03:21 is already on line 2',
      'm, line 3: slot 2 is already on line 2',
      'm, line 4: "zz" is not a MAC address (six hex pairs)',
    ]);
  });
});

describe('machines at their places', () => {
  test('production: numbered by slot; the card keeps the physical number', () => {
    expect(summary(SITE)).toEqual([
      [14, 'reboot14', '10.1.1.14', '02:00:00:00:00:14', 'fit14', '10.1.3.14', '00:03:1d:0e:03:55', '10.1.2.14', '00:03:1d:0e:03:54'],
      [41, 'reboot15', '10.1.1.41', '02:00:00:00:00:41', 'fit15', '10.1.3.15', '00:03:1d:0e:05:67', '10.1.2.15', '00:03:1d:0e:05:66'],
    ]);
  });

  test('preparation lab: the spare ones, or all; numbered by their own number; -a means the spare ones', () => {
    const lab = SITE.replace('production', 'preplab');
    expect(placed(lab).nodes.map((node) => [node.number, node.inScope])).toEqual([
      [15, true],
      [38, true],
    ]);
    expect(placed(lab.replace('[site]', '[site]\nplace = Greece')).nodes.map((node) => node.number)).toEqual([40]);
    const all = placed(lab.replace('[site]', '[site]\nmachines = all'));
    expect(all.nodes.map((node) => [node.number, node.physical, node.control.ip, node.inScope])).toEqual([
      [14, 14, '10.1.3.14', false],
      [15, 15, '10.1.3.15', true],
      [38, 38, '10.1.3.38', true],
      [40, 40, '10.1.3.40', false],
      [41, 41, '10.1.3.41', false],
    ]);
  });

  test('without a data network there is no data interface, and its MAC is no matter', () => {
    expect(placed(SITE.replace('data = 10.1.2.0/24\n', '')).nodes.map((node) => node.data)).toEqual([null, null]);
  });

  test('no room, the gateway’s address, computed MACs that another has, nobody there: each is told', () => {
    const small = SITE.replaceAll('/24', '/27').replace('[networks]', '[networks]\ngateway = 15');
    expect(placed(small).problems).toEqual([
      'm, line 7: machine 41 has no address in 10.1.1.0/27, the cmc network of here',
      "m, line 7: slot 15 would have 10.1.3.15, the gateway's address in the control network of here",
      "m, line 7: slot 15 would have 10.1.2.15, the gateway's address in the data network of here",
    ]);
    expect(placed(SITE, '1 00:03:1d:0e:03:19 1\n2 00:03:1d:0e:03:18 2').problems).toEqual([
      'm, line 2: 00:03:1d:0e:03:18, the control MAC address of machine 2, is already the data MAC address of line 1',
    ]);
    expect(placed(SITE, '1 00:03:1d:0e:03:19 preplab').problems).toEqual(['m: no machine is in a slot, so here would be empty']);
    expect(placed(SITE.replace('production', 'preplab'), '1 00:03:1d:0e:03:19 1').problems).toEqual([
      'm: no machine is at preplab, so here would be empty',
    ]);
  });
});

describe('a site description', () => {
  test('has the keys of docs/inventory.md, with these defaults', async () => {
    const table = (await readFile(join(packageRoot, 'docs/inventory.md'), 'utf8')).split('### Every key')[1]?.split('\n## ')[0] ?? '';
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    const shown = (text: string | null): string => (text === null ? '' : text === '' ? '(empty)' : `\`${text}\``);
    expect(rows.map(([, key, value, , allowed]) => [key, value, allowed])).toEqual(
      siteKeys.map((spec) => [`\`${spec.key}\``, shown(spec.default), spec.allowed]),
    );
  });

  test('that says nothing: every key that must be given is told', () => {
    const missing = ['[site] name', '[site] mode', '[site] map', '[networks] cmc', '[networks] control'];
    expect(siteProblems('').map((problem) => problem.split(' is missing')[0])).toEqual(missing.map((key) => `here.ini: ${key}`));
  });

  test('with wrong values, unknown sections and keys: all of it is told', () => {
    expect(siteProblems(`${SITE}gateway = 255\ngatway = 1\n[names]\ncmc = 7\n[name]\na = b`.replace('production', 'Production'))).toEqual([
      'here.ini: unknown key [networks] gatway: there are cmc, control, data, gateway',
      'here.ini: unknown section [name]: there are [site], [names], [networks], [omf]',
      'here.ini: [site] mode = "Production" is not allowed: it must be production or preplab',
      'here.ini: [names] cmc = "7" is not allowed: it must be the beginning of a host name: a letter, then letters, digits or hyphens',
      'here.ini: [networks] gateway = "255" is not allowed: it must be a whole number, 1 to 254',
    ]);
  });

  test('that contradicts itself', () => {
    expect(siteProblems(`${SITE.replace('10.1.3.0/24', '10.1.0.0/16')}[names]\ndata = Fit`)).toEqual([
      'here.ini: [networks] cmc = 10.1.1.0/24 and control = 10.1.0.0/16 overlap',
      'here.ini: [names] control and data are both fit: host names would not be unique',
      'here.ini: [networks] control = 10.1.0.0/16 and data = 10.1.2.0/24 overlap',
    ]);
    expect(siteProblems(SITE.replace('10.1.1.0/24', '10.1.1.0/27'))).toEqual([
      'here.ini: [networks] cmc = 10.1.1.0/27 has no address for the gateway, number 100',
    ]);
  });
});

describe('the files of a site', () => {
  const files = (ini: string): Record<string, string> =>
    Object.fromEntries(outputFiles(site(ini), placed(ini).nodes, '/some/where/here.ini').map(({ name, text }) => [name, text]));
  const header = '# here: made by imaging-inventory generate from here.ini and machines.map; change those, not this\n';

  test('inventory: what every command reads', () => {
    const { nodes, problems } = parseInventory(JSON.parse(files(SITE)['here.inventory.json'] ?? ''), {
      regularName: 'fit',
      rebootName: 'reboot',
    });
    expect(problems).toEqual([]);
    expect(nodes).toEqual(
      placed(SITE).nodes.map(({ number, control, cmc, data }) => ({ number, name: control.hostname, cmc, control, data })),
    );
  });

  test('hosts, dnsmasq and configuration, to the byte', () => {
    const made = files(`${SITE.replace('[site]', '[site]\ndomain = example.org')}`);
    expect(made['here.hosts']).toBe(`${header}10.1.3.100      here.example.org here
10.1.1.14       reboot14.example.org reboot14
10.1.1.41       reboot15.example.org reboot15
10.1.3.14       fit14.example.org fit14
10.1.3.15       fit15.example.org fit15
10.1.2.14       data14.example.org data14
10.1.2.15       data15.example.org data15
`);
    expect(made['here.dnsmasq']?.split('\n').slice(2)).toEqual([
      'dhcp-host=set:control,00:03:1d:0e:03:55,10.1.3.14,fit14',
      'dhcp-host=set:control,00:03:1d:0e:05:67,10.1.3.15,fit15',
      'dhcp-host=set:data,00:03:1d:0e:03:54,10.1.2.14,data14',
      'dhcp-host=set:data,00:03:1d:0e:05:66,10.1.2.15,data15',
      '',
    ]);
    expect(made['here.conf']).toBe(`${header}[testbed]
regularname = fit
rebootname = reboot
inventory_path = here.inventory.json
all_scope = 14-15

[networking]
local_control_ip = 10.1.3.100
`);
  });

  test('OMF: a resource for each node, or one for the testbed', () => {
    const [, second]: unknown[] = JSON.parse(files(SITE)['here.omf.json'] ?? '');
    expect(second).toEqual({
      name: 'fit15',
      hostname: 'fit15',
      hardware_type: 'PC',
      urn: 'urn:publicid:IDN+omf:here+node+fit15',
      interfaces: [
        {
          name: 'fit15:if0',
          role: 'control',
          mac: '00:03:1d:0e:05:67',
          ip: { address: '10.1.3.15', netmask: '255.255.255.0', ip_type: 'ipv4' },
        },
        { name: 'fit15:if1', role: 'experimental', mac: '00:03:1d:0e:05:66' },
      ],
      cmc: { name: 'fit15:cm', mac: '02:00:00:00:00:41', ip: { address: '10.1.1.41', netmask: '255.255.255.0', ip_type: 'ipv4' } },
    });
    expect(JSON.parse(files(`${SITE}[omf]\nresource = 37nodes\nhardware_type = PC-X`)['here.omf.json'] ?? '')).toEqual([
      { name: '37nodes', hostname: '37nodes', hardware_type: 'PC-X', urn: 'urn:publicid:IDN+omf:here+node+37nodes' },
    ]);
  });

  test('follow the prefixes, and do without domain and data network', () => {
    const made = files(`${SITE.replace('data = 10.1.2.0/24\n', '')}[names]\ncontrol = node\ncmc = cm`);
    expect(made['here.hosts']).toBe(
      `${header}10.1.3.100      here\n10.1.1.14       cm14\n10.1.1.41       cm15\n10.1.3.14       node14\n10.1.3.15       node15\n`,
    );
    expect(made['here.conf']).toContain('regularname = node\nrebootname = cm\n');
    expect(made['here.dnsmasq']).not.toContain('data');
    expect(parseInventory(JSON.parse(made['here.inventory.json'] ?? ''), { regularName: 'node', rebootName: 'cm' }).problems).toEqual([]);
  });

  test('do not depend on the order of the map', () => {
    const turned = MAP.trim().split('\n').reverse().join('\n');
    expect(outputFiles(site(), placed(SITE, turned).nodes, 'here.ini')).toEqual(outputFiles(site(), placed(SITE).nodes, 'here.ini'));
  });
});
