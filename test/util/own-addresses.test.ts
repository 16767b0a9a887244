import type { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { directRoutes, ownAddresses } from '../../src/util/own-addresses.js';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';

test('networks that are reached without a gateway', () => {
  const routes = [
    header,
    'eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'br0\t0003A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'eth0\t0005A8C0\t0100A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0',
    'junk',
    '',
  ].join('\n');
  expect(directRoutes(routes)).toEqual([{ name: 'br0', network: '192.168.3.0', netmask: '255.255.255.0' }]);
});

test('IPv4 addresses that Node lists, each with its interface', async () => {
  const mac = '00:00:00:00:00:00';
  const interfaces: ReturnType<typeof networkInterfaces> = {
    eth0: [
      { address: 'fe80::1', netmask: 'ffff:ffff:ffff:ffff::', family: 'IPv6', mac, internal: false, cidr: null, scopeid: 2 },
      { address: '192.168.1.100', netmask: '255.255.255.0', family: 'IPv4', mac, internal: false, cidr: null },
    ],
    down: undefined,
  };
  // the route of an interface that is listed adds nothing
  expect(await ownAddresses(interfaces, `${header}\neth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`)).toEqual([
    { name: 'eth0', address: '192.168.1.100', netmask: '255.255.255.0' },
  ]);
});

test('an interface that Node leaves out, by the route to its own network; not by routes to others', async () => {
  const route = (destination: string, mask: string): string => `quiet0\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0`;
  const routes = [header, route('0000007F', '000000FF'), route('0005007F', '00FFFFFF'), route('000000E0', '000000F0')].join('\n');
  const quiet = { name: 'quiet0', address: '127.0.0.1', netmask: '255.0.0.0' };
  expect(await ownAddresses({}, routes)).toEqual([quiet]);
});
