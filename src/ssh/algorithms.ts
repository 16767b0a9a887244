import { getCiphers, getHashes } from 'node:crypto';
import type { Algorithms } from 'ssh2';
import { printable } from '../util/text.js';
import type { Offer } from './offer.js';

/** A cipher by its name in ssh and in OpenSSL, which some builds leave out. */
const LEGACY_CIPHERS = [
  ['aes256-cbc', 'aes-256-cbc'],
  ['aes192-cbc', 'aes-192-cbc'],
  ['aes128-cbc', 'aes-128-cbc'],
  ['3des-cbc', 'des-ede3-cbc'],
] as const;

/**
 * What old servers need (dropbear and OpenSSH of the years before 2015, switches), offered last: whoever has better takes
 * better. Host keys are not checked anyway, so there is no secret that a weak key exchange would give away.
 */
export function legacyLast(): Algorithms {
  const known = new Set(getCiphers());
  return {
    kex: last(['diffie-hellman-group-exchange-sha1', 'diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1']),
    serverHostKey: last(['ssh-dss']),
    cipher: last(LEGACY_CIPHERS.filter(([, name]) => known.has(name)).map(([name]) => name)),
    hmac: last(['hmac-sha1-96', ...(getHashes().includes('md5') ? (['hmac-md5', 'hmac-md5-96'] as const) : [])]),
  };
}

function last<T>(names: T[]): { append: T[]; prepend: T[]; remove: T[] } {
  return { append: names, prepend: [], remove: [] };
}

/** What a failed agreement was about, and what the server has: `no matching cipher; it offers only: arcfour`. */
export function mismatchText(message: string, offer: Offer | null): string | null {
  const what = /no matching (?:[CS]->[CS] )?(key exchange algorithm|host key format|cipher|MAC)/.exec(message)?.[1];
  if (what === undefined) return null;
  const has =
    offer && { 'key exchange algorithm': offer.kex, 'host key format': offer.hostKey, cipher: offer.cipher, MAC: offer.mac }[what];
  return `there is no ${what} that both sides know${has ? `; it offers only: ${printable(has.join(', ')).slice(0, 300)}` : ''}`;
}
