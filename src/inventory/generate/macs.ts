import { CMC_MAC_PREFIX } from '../firmware.js';

/** The MAC of the CMC of machine `number`, 1 to 9999: the number in decimal digits, so 41 is `02:00:00:00:00:41`. */
export function cmcMac(number: number): string {
  const digits = String(number).padStart(4, '0');
  return `${CMC_MAC_PREFIX}:${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/**
 * The MAC of the data interface, the first port of the card whose second one is the control interface: one less, with
 * a borrow. Null for the MAC of zeros.
 * @param controlMac lower case, with colons
 */
export function dataMac(controlMac: string): string | null {
  const number = parseInt(controlMac.replaceAll(':', ''), 16) - 1; // 48 bits: exact in a double
  if (number < 0) return null;
  return number
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?!$)/g, '$1:');
}

/** Whether a MAC is of one interface: neither a group's (lowest bit of the first byte) nor all zeros. */
export function isUnicast(mac: string): boolean {
  return parseInt(mac.slice(0, 2), 16) % 2 === 0 && /[1-9a-f]/.test(mac);
}
