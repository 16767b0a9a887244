import { messageOf } from '../util/errors.js';
import type { PrivateKey } from './keys.js';

type ParseKey = typeof import('ssh2').utils.parseKey;

/** Why ssh2 cannot use a key file, with what to do about it; null when it can. */
export function keyProblem(key: PrivateKey, parseKey: ParseKey): string | null {
  const parsed = tryParse(key, parseKey);
  if (!(parsed instanceof Error)) return null;
  if (/passphrase/i.test(parsed.message)) return `${key.path} is protected by a passphrase: ssh-add it to your agent`;
  if (key.contents.includes('BEGIN PRIVATE KEY') || key.contents.includes('BEGIN ENCRYPTED PRIVATE KEY')) {
    return `${key.path} is in PKCS#8 form, which is not supported: convert it with ssh-keygen -p -f ${key.path}`;
  }
  return `${key.path} cannot be used (${parsed.message}): try ssh-keygen -p -f ${key.path}`;
}

function tryParse(key: PrivateKey, parseKey: ParseKey): Error | null {
  try {
    const parsed: unknown = parseKey(key.contents);
    return parsed instanceof Error ? parsed : null;
  } catch (error) {
    return new Error(messageOf(error));
  }
}
