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
