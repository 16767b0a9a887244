/** Whether `text` is an IPv4 address: four numbers 0-255 without leading zeros, which some programs read as octal. */
export function isIpv4(text: string): boolean {
  return ipv4ToNumber(text) !== null;
}

/** The 32 bits of a dotted IPv4 address as a number, its first byte highest, or null when `text` is none. */
export function ipv4ToNumber(text: string): number | null {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return null;
  const bytes = text.split('.').map(Number);
  if (bytes.some((byte) => byte > 255)) return null;
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

/** Whether an address is in the network of another one with its netmask. False when one of them is no IPv4 address. */
export function holds({ address, netmask }: { address: string; netmask: string }, ip: string): boolean {
  const own = ipv4ToNumber(address);
  const mask = ipv4ToNumber(netmask);
  const other = ipv4ToNumber(ip);
  // >>> 0: JavaScript's & gives signed numbers
  return own !== null && mask !== null && other !== null && (own & mask) >>> 0 === (other & mask) >>> 0;
}

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
