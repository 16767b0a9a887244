import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A private key file of the person. */
export type PrivateKey = { path: string; contents: string };

/** With what a login may be tried, in order: without anything, the agent's keys, then these files. */
export type LoginAuth = { agentSocket?: string | undefined; privateKeys: readonly PrivateKey[] };

/** The files ssh(1) itself tries, in its order of preference as far as ssh2 knows them. */
export const DEFAULT_KEY_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
const MAX_KEY_BYTES = 65_536;

/**
 * What ssh(1) would use without options: the agent of SSH_AUTH_SOCK and the default keys in ~/.ssh. Files that are
 * missing, unreadable or far too large are left out; never rejects.
 */
export async function defaultAuth(home: string, env: Readonly<Record<string, string | undefined>>): Promise<LoginAuth> {
  const keys = await Promise.all(DEFAULT_KEY_FILES.map((name) => readKey(join(home, '.ssh', name))));
  return { agentSocket: env.SSH_AUTH_SOCK || undefined, privateKeys: keys.filter((key) => key !== null) };
}

async function readKey(path: string): Promise<PrivateKey | null> {
  try {
    const info = await stat(path);
    if (!info.isFile() || info.size > MAX_KEY_BYTES) return null;
    return { path, contents: await readFile(path, 'utf8') };
  } catch {
    return null; // none, or not ours to read: ssh(1) goes on as well
  }
}
