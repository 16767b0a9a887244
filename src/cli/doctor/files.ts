import { constants, readFileSync, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { systemCode } from '../../util/errors.js';

/** Why we may not do `mode` with a path, as the system's error code; null when we may. */
export async function whyNot(path: string, mode: number): Promise<string | null> {
  try {
    await access(path, mode);
    return null;
  } catch (error) {
    return systemCode(error) ?? 'error';
  }
}

/** Why nothing can be made in a folder; null when it can. */
export function whyNotWritable(folder: string): Promise<string | null> {
  return whyNot(folder, constants.W_OK | constants.X_OK);
}

export async function statOrNull(path: string): Promise<Stats | null> {
  return stat(path).catch(() => null);
}

/** `mode 2775, owner root, group imaging`. */
export function ownership({ mode, uid, gid }: Stats): string {
  return `mode ${(mode & 0o7777).toString(8)}, owner ${nameOf('/etc/passwd', uid)}, group ${nameOf('/etc/group', gid)}`;
}

/** The name of a number in a table such as /etc/passwd, else the number. */
export function nameOf(table: string, id: number): string {
  try {
    const line = readFileSync(table, 'utf8')
      .split('\n')
      .find((each) => each.split(':')[2] === String(id));
    return line?.split(':')[0] ?? String(id);
  } catch {
    return String(id);
  }
}

/** The path of a program: itself when it has a slash, else the first in PATH that can be executed; null when there is none. */
export async function findProgram(program: string, path = ''): Promise<string | null> {
  const places = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder === '' ? '.' : folder, program));
  for (const place of places) {
    const info = await statOrNull(place);
    if (info?.isFile() && (await whyNot(place, constants.X_OK)) === null) return place;
  }
  return null;
}
