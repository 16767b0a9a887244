import { ipv4ToNumber } from '../util/ipv4.js';

/** Where one load may send: a multicast group and a UDP port. Concurrent loads take different slots. */
export type MulticastSlot = { group: string; port: number };

/** An integer expression of `*`, the slot's number from 1. */
export type PortPattern = (slot: number) => number;

/**
 * Reads a port pattern such as `10000 + *` or `20000 + 2 * *`: integers, `+`, `-` and `*`, where a `*` in the place
 * of a number is the slot's number and one between numbers multiplies. It must use the slot's number. Null when it is
 * no such pattern.
 */
export function parsePortPattern(text: string): PortPattern | null {
  const tokens = text.match(/\d+|[-+*]|\S/g) ?? [];
  /** Sum of terms, each a sign and a product of factors; null stands for the slot's number. */
  const terms: { sign: 1 | -1; factors: (number | null)[] }[] = [{ sign: 1, factors: [] }];
  for (const [index, token] of tokens.entries()) {
    const term = terms.at(-1)!;
    if (index % 2 === 0) {
      // the place of a number
      if (token !== '*' && !/^\d{1,6}$/.test(token)) return null;
      term.factors.push(token === '*' ? null : Number(token));
    } else if (token === '+' || token === '-') {
      terms.push({ sign: token === '+' ? 1 : -1, factors: [] });
    } else if (token !== '*') return null;
  }
  const complete = tokens.length % 2 === 1;
  if (!complete || !terms.some(({ factors }) => factors.includes(null))) return null;
  return (slot) =>
    terms.reduce((sum, { sign, factors }) => sum + sign * factors.reduce<number>((product, factor) => product * (factor ?? slot), 1), 0);
}

/**
 * The slots 1 to `size` of a group pattern (`234.5.6.*`) and a port pattern, or what is wrong with them.
 * No two slots share a port, since the server binds it on all addresses.
 */
export function multicastSlots(
  groupPattern: string,
  portPattern: PortPattern,
  size: number,
): { slots: MulticastSlot[] } | { field: 'groupPattern' | 'portPattern'; problem: string } {
  const slots: MulticastSlot[] = [];
  const ports = new Set<number>();
  for (let slot = 1; slot <= size; slot += 1) {
    const group = groupPattern.replaceAll('*', String(slot));
    const port = portPattern(slot);
    if (!isMulticast(group))
      return {
        field: 'groupPattern',
        problem: `its slot ${slot} (pattern_size is ${size}) is ${group}, no multicast address (224.0.0.0 to 239.255.255.255)`,
      };
    if (!(port >= 1 && port <= 65_535))
      return { field: 'portPattern', problem: `its slot ${slot} (pattern_size is ${size}) is ${port}, no port (1 to 65535)` };
    if (ports.has(port)) return { field: 'portPattern', problem: `its slot ${slot} (pattern_size is ${size}) is port ${port} again` };
    ports.add(port);
    slots.push({ group, port });
  }
  return { slots };
}

function isMulticast(ip: string): boolean {
  const number = ipv4ToNumber(ip);
  return number !== null && number >>> 28 === 0xe;
}
