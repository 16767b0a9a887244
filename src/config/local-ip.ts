import { UserError } from '../util/errors.js';
import { ipv4ToNumber } from '../util/ipv4.js';
import { ownAddresses, type OwnAddress } from '../util/own-addresses.js';

/**
 * The gateway's own address on the control network: the first IPv4 address of this machine, other than 127.x, whose
 * network (by its own prefix) holds `controlIp`, the control address of the inventory's first entry. With an address
 * on several such networks, the smallest network wins.
 *
 * @throws UserError `environment` when there is none
 */
export async function guessLocalControlIp(controlIp: string, addresses?: readonly OwnAddress[]): Promise<string> {
  const wanted = ipv4ToNumber(controlIp);
  let best: { address: string; mask: number } | null = null;
  for (const { address, netmask } of addresses ?? (await ownAddresses())) {
    const own = ipv4ToNumber(address);
    const mask = ipv4ToNumber(netmask);
    if (wanted === null || own === null || mask === null || address.startsWith('127.')) continue;
    // >>> 0: JavaScript's & gives signed numbers
    if ((own & mask) >>> 0 !== (wanted & mask) >>> 0) continue;
    if (best === null || mask > best.mask) best = { address, mask };
  }
  if (best !== null) return best.address;
  throw new UserError(
    'environment',
    `no network interface of this machine is on the network of ${controlIp}, the control address of the first node of the inventory`,
    "set local_control_ip in section [networking] of the configuration to this machine's address on the control network",
  );
}
