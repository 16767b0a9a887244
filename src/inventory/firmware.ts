import { ipv4ToNumber } from '../util/ipv4.js';
import type { Interface } from './inventory.js';

/** What the MAC of a CMC begins with when its firmware follows the rule: then comes the machine's physical number. */
export const CMC_MAC_PREFIX = '02:00:00:00';

/** How the number is written in the MAC: the firmware writes digits (41 is `:00:41`); an emulated card counts (`:00:29`). */
export type NumberStyle = 'decimal' | 'hex';

/** The number in a CMC's MAC, or null when the MAC follows no rule. */
function numberInMac(mac: string, style: NumberStyle): number | null {
  if (!mac.startsWith(`${CMC_MAC_PREFIX}:`)) return null;
  const digits = mac.slice(CMC_MAC_PREFIX.length).replaceAll(':', '');
  if (style === 'hex') return parseInt(digits, 16);
  return /^\d+$/.test(digits) ? Number(digits) : null;
}

/** Whether a CMC's address ends in the number that its MAC holds. */
export function isInStep({ ip, mac }: Interface, style: NumberStyle): boolean {
  const number = numberInMac(mac, style);
  return number !== null && number % 256 === lastByte(ip);
}

/** The style that more of the cards follow; the firmware's when neither does. */
export function numberStyle(cards: readonly Interface[]): NumberStyle {
  const follow = (style: NumberStyle): number => cards.filter((card) => isInStep(card, style)).length;
  return follow('hex') > follow('decimal') ? 'hex' : 'decimal';
}

/** The physical number of the machine behind a CMC, or null when MAC and address do not tell the same. */
export function physicalNumber(card: Interface, style: NumberStyle): number | null {
  return isInStep(card, style) ? numberInMac(card.mac, style) : null;
}

/** The last of the four numbers of an IPv4 address. */
export function lastByte(ip: string): number {
  return (ipv4ToNumber(ip) ?? 0) % 256;
}
