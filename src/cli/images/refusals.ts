import { lstat } from 'node:fs/promises';
import { UserError } from '../../util/errors.js';

/** Refuses to put a file in the place of one that is there. */
export async function refuseExisting(path: string, force: boolean): Promise<void> {
  const found = force ? null : await lstat(path).catch(() => null); // nothing there
  if (found?.isFile() || found?.isSymbolicLink())
    throw new UserError('refused', `${path} exists already`, 'remove it, give another name, or say --force');
}

/** Refuses standard input or output that nobody has redirected. Throws a usage UserError. */
export function refuseTerminal(stream: { isTTY?: boolean }, why: string, example: string): void {
  if (stream.isTTY === true) throw new UserError('usage', `- is a terminal here, and ${why}`, `for example: ${example}`);
}
