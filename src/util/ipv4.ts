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
