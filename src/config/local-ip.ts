import { UserError } from '../util/errors.js';
import { holds, ipv4ToNumber } from '../util/ipv4.js';
import { ownAddresses, type OwnAddress } from '../util/own-addresses.js';

/**
 * The gateway's own address on the control network: the first IPv4 address of this machine, other than 127.x, whose
 * network (by its own prefix) holds `controlIp`, the control address of the inventory's first entry. With an address
 * on several such networks, the smallest network wins.
 *
 * @throws UserError `environment` when there is none
 */
export async function guessLocalControlIp(controlIp: string, addresses?: readonly OwnAddress[]): Promise<string> {
  const near = (addresses ?? (await ownAddresses())).filter((own) => holds(own, controlIp) && !own.address.startsWith('127.'));
  const [first, ...others] = near;
  if (first) return others.reduce((best, own) => (maskOf(own) > maskOf(best) ? own : best), first).address;
  throw new UserError(
    'environment',
    `no network interface of this machine is on the network of ${controlIp}, the control address of the first node of the inventory`,
    "set local_control_ip in section [networking] of the configuration to this machine's address on the control network",
  );
}

function maskOf({ netmask }: OwnAddress): number {
  return ipv4ToNumber(netmask) ?? 0;
}
