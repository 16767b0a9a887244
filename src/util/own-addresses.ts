import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { holds, ipv4ToNumber } from './ipv4.js';

/** An IPv4 address of this machine, and the interface that has it. */
export type OwnAddress = { name: string; address: string; netmask: string };

/**
 * The IPv4 addresses of this machine's interfaces. Node does not list interfaces without a carrier, such as a bridge
 * while every node on it is off; those are found by their routes (on Linux).
 */
export async function ownAddresses(interfaces: Interfaces = networkInterfaces(), routes = readRoutes()): Promise<OwnAddress[]> {
  const listed = Object.entries(interfaces).flatMap(([name, list]) =>
    (list ?? []).filter(({ family }) => family === 'IPv4').map(({ address, netmask }) => ({ name, address, netmask })),
  );
  const silent: OwnAddress[] = [];
  for (const { name, network, netmask } of directRoutes(routes)) {
    const address = await sourceAddress(hostIn(network, netmask));
    // a route to a network that the interface itself is not in, of multicast groups for one, tells no netmask
    if (address === null || !holds({ address: network, netmask }, address)) continue;
    if (!listed.some((own) => own.name === name || own.address === address)) silent.push({ name, address, netmask });
  }
  return [...listed, ...silent];
}

type Interfaces = ReturnType<typeof networkInterfaces>;

/** The address that datagrams to `ip` would be sent from; nothing is sent. Null when there is no way there. */
export function sourceAddress(ip: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const finish = (address: string | null): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(null));
    socket.connect(9, ip, (...problem: unknown[]) => finish(problem[0] ? null : socket.address().address));
  });
}

function readRoutes(): string {
  try {
    return readFileSync('/proc/net/route', 'latin1');
  } catch {
    return ''; // not Linux
  }
}

/** The networks that a routing table, as /proc/net/route shows it, reaches without a gateway. */
export function directRoutes(routes: string): { name: string; network: string; netmask: string }[] {
  return routes
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [name = '', destination = '', gateway, , , , , mask = ''] = line.trim().split(/\s+/);
      const [network, netmask] = [dotted(destination), dotted(mask)];
      return gateway === '00000000' && network !== null && netmask !== null && ipv4ToNumber(netmask) !== 0
        ? [{ name, network, netmask }]
        : [];
    });
}

/** An address in a network that is not the network's own, which counts as a broadcast address on older kernels. */
function hostIn(network: string, netmask: string): string {
  return netmask === '255.255.255.255' ? network : network.replace(/\d+$/, (last) => String(Number(last) | 1));
}

/** The address of eight hex digits of the table, which are in the machine's own byte order: little-endian. */
function dotted(hex: string): string | null {
  return /^[0-9A-F]{8}$/i.test(hex) ? [...Buffer.from(hex, 'hex')].reverse().join('.') : null;
}
