import { ipv4ToNumber } from '../util/ipv4.js';

/** The IPv4 address as an unsigned number, its first byte highest. Throws on anything but dotted decimals. */
export function ipToNumber(address: string): number {
  const value = ipv4ToNumber(address);
  if (value === null) throw new TypeError(`not an IPv4 address: ${address}`);
  return value;
}

/** The dotted form of `ipToNumber`'s result. */
export function numberToIp(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

/** Whether the address is a multicast group (class D). */
export function isMulticast(address: string): boolean {
  return ipToNumber(address) >>> 28 === 14;
}
