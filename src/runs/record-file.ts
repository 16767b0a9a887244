import { systemHost } from '../util/host.js';
import { parseJson } from '../util/json.js';
import { loginOf, readOwned } from '../util/owned-file.js';

/** What a record says, and whose it is by its file. `believed`: see `isBelieved`. */
export type FoundRecord<T> = { value: T; uid: number; login: string; believed: boolean };

/**
 * The record in a JSON file, or null: missing, not ours to read, or not what `is` asks for. Never throws. `current` brings
 * forms of earlier versions into today's.
 */
export function readRecord<T>(
  path: string,
  is: (value: unknown) => value is T,
  current: (value: unknown) => unknown = (value) => value,
): FoundRecord<T> | null {
  try {
    const found = readOwned(path, systemHost.uid());
    if (found === null) return null;
    const value = current(parseJson(found.text));
    return is(value) ? { value, uid: found.uid, login: loginOf(found.uid), believed: found.believed } : null;
  } catch {
    return null; // what cannot be read says nothing
  }
}
