import { readFileSync } from 'node:fs';
import { guessLocalControlIp } from '../../config/local-ip.js';
import { ownAddresses, type OwnAddress } from '../../util/own-addresses.js';
import type { ExaminedSite } from './finding.js';

/** The interface that has an address, or null. All of 127.0.0.0/8 is lo's. */
export async function interfaceOf(address: string): Promise<OwnAddress | null> {
  const own = (await ownAddresses()).find((each) => each.address === address);
  return own ?? (address.startsWith('127.') ? { name: 'lo', address, netmask: '255.0.0.0' } : null);
}

/** The gateway's address on the control network, as loads take it. Throws as `guessLocalControlIp` does. */
export async function controlIp({ config, inventory }: ExaminedSite): Promise<string> {
  return config.networking.localControlIp ?? (await guessLocalControlIp(inventory.firstControlIp));
}

/** A setting of an interface in /proc/sys/net/ipv4/conf or of a bridge in /sys/class/net; null when there is none. */
export function setting(path: string): string | null {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return null;
  }
}
