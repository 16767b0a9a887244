import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { ipv4ToNumber } from '../inventory/addresses.js';
import { UserError } from '../util/errors.js';

type Interfaces = ReturnType<typeof networkInterfaces>;

/**
 * The gateway's own address on the control network: the first IPv4 address of this machine, other than 127.x, whose
 * network (by its own prefix) holds `controlIp`, the control address of the inventory's first entry. With an address
 * on several such networks, the smallest network wins.
 *
 * @throws UserError `environment` when there is none
 */
export async function guessLocalControlIp(controlIp: string, interfaces: Interfaces = networkInterfaces()): Promise<string> {
  const wanted = ipv4ToNumber(controlIp);
  let best: { address: string; mask: number } | null = null;
  for (const { address, netmask } of Object.values(interfaces).flatMap((list) => list ?? [])) {
    const own = ipv4ToNumber(address);
    const mask = ipv4ToNumber(netmask);
    if (wanted === null || own === null || mask === null || address.startsWith('127.')) continue;
    // >>> 0: JavaScript's & gives signed numbers
    if ((own & mask) >>> 0 !== (wanted & mask) >>> 0) continue;
    if (best === null || mask > best.mask) best = { address, mask };
  }
  if (best !== null) return best.address;
  // interfaces without a carrier, such as a bridge while every node is off, are not listed; the kernel's routes know them
  const source = isOnLink(controlIp, readRoutes()) ? await sourceAddress(controlIp) : null;
  if (source !== null) return source;
  throw new UserError(
    'environment',
    `no network interface of this machine is on the network of ${controlIp}, the control address of the first node of the inventory`,
    "set local_control_ip in section [networking] of the configuration to this machine's address on the control network",
  );
}

function readRoutes(): string {
  try {
    return readFileSync('/proc/net/route', 'latin1');
  } catch {
    return ''; // not Linux
  }
}

/** Whether a routing table, as /proc/net/route shows it, reaches an address directly: on a network of this machine. */
export function isOnLink(ip: string, routes: string): boolean {
  const wanted = ipv4ToNumber(ip);
  if (wanted === null) return false;
  return routes.split('\n').slice(1).some((line) => {
    const [, destination = '', gateway, , , , , mask = ''] = line.trim().split(/\s+/);
    const [network, bits] = [swapped(destination), swapped(mask)];
    return gateway === '00000000' && bits !== 0 && network !== null && bits !== null && ((wanted & bits) >>> 0) === network;
  });
}

/** The number in eight hex digits of the table, which is in the machine's own byte order: little-endian. */
function swapped(hex: string): number | null {
  if (!/^[0-9A-F]{8}$/i.test(hex)) return null;
  return Buffer.from(hex, 'hex').readUInt32LE(0);
}

/** The address that datagrams to `ip` would be sent from; nothing is sent. Null when there is no way there. */
function sourceAddress(ip: string): Promise<string | null> {
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
