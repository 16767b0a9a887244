/** Whether `text` is an IPv4 address: four numbers 0-255 without leading zeros, which some programs read as octal. */
export function isIpv4(text: string): boolean {
  return ipv4ToNumber(text) !== null;
}

/** The 32 bits of a dotted IPv4 address as a number, or null when `text` is none. */
export function ipv4ToNumber(text: string): number | null {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return null;
  const bytes = text.split('.').map(Number);
  if (bytes.some((byte) => byte > 255)) return null;
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

/** A MAC address as six lower-case pairs with colons (pairs joined by `-` are accepted), or null when `text` is none. */
export function normalizeMac(text: string): string | null {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$|^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/.test(text.toLowerCase())) return null;
  return text.toLowerCase().replaceAll('-', ':');
}

/** Whether `text` may be a host name: labels of letters, digits and inner hyphens, joined by dots (RFC 1123). */
export function isHostname(text: string): boolean {
  // not /i: the first expression of a process with that flag costs some milliseconds
  return text.length <= 253 && /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(text);
}
