import { ipv4ToNumber } from '../../util/ipv4.js';

/** One of a site's networks: `192.168.1.0/24`. Its machine N has the address whose last number is N. */
export type Network = { text: string; base: number; prefixBits: number };

/** The highest number of a machine or slot: 255 is a network's broadcast address. */
export const MAX_NUMBER = 254;

/** A network whose address ends in `.0`, with 8 to 29 bits of prefix, or null when `text` is none. */
export function parseNetwork(text: string): Network | null {
  const [address = '', bits = '', ...rest] = text.split('/');
  const base = ipv4ToNumber(address);
  if (base === null || !/^\d{1,2}$/.test(bits) || rest.length > 0) return null;
  const prefixBits = Number(bits);
  if (prefixBits < 8 || prefixBits > 29 || base % 256 !== 0 || base % sizeOf(prefixBits) !== 0) return null;
  return { text, base, prefixBits };
}

/** The address of machine `number`, or null when the network has no room for it. */
export function addressIn(network: Network, number: number): string | null {
  if (number < 1 || number > Math.min(MAX_NUMBER, sizeOf(network.prefixBits) - 2)) return null;
  return dotted(network.base + number);
}

/** Whether any address is in both. */
export function overlap(one: Network, other: Network): boolean {
  return one.base < other.base + sizeOf(other.prefixBits) && other.base < one.base + sizeOf(one.prefixBits);
}

/** `255.255.255.0` for a prefix of 24 bits. */
export function netmask({ prefixBits }: Network): string {
  return dotted(2 ** 32 - sizeOf(prefixBits));
}

function sizeOf(prefixBits: number): number {
  return 2 ** (32 - prefixBits);
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
