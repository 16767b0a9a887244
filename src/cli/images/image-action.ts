import { lstat } from 'node:fs/promises';
import { UserError } from '../../util/errors.js';
import type { OptionValues } from '../kit/command.js';

/** A whole number of at least `least`, or undefined when the option was not given. Throws a usage UserError. */
export function wholeNumber(options: OptionValues, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < least || number > most) {
    throw new UserError(
      'usage',
      `--${name}: ${String(value)} is not a whole number ${most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`}`,
    );
  }
  return number;
}

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
