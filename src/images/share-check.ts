import { inspectImage } from '../ndz/read/inspect.js';
import { Failure } from '../util/errors.js';
import { hashFile } from './records.js';
import { formatOfFile } from './formats.js';
import { judgeBy, vouchHint, type Evidence } from './whole.js';
import { fail as ndzFail } from '../ndz/failures.js';

/**
 * Everybody will load it: a cut or damaged image is found out now. `readPath` is where it can be read, `path` what it is
 * called. Returns a note on its end for people, or null. Throws Failure `ndz-cut`, those of `inspectImage` and `judgeBy`, or the signal's reason.
 */
export async function checkWhole(
  readPath: string,
  path: string,
  beside: Omit<Evidence, 'hash'>,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    if ((await formatOfFile(readPath)) !== 'ndz') return null;
    const info = await inspectImage(readPath, { signal });
    const { cut, note } = await judgeBy(info, { ...beside, hash: () => hashFile(readPath, { signal }) });
    if (cut !== null) throw ndzFail('ndz-cut', `${path}: ${cut}`, `save it again, or ${vouchHint(path, info)}`);
    return note;
  } catch (error) {
    throw error instanceof Failure ? error.with({ message: error.message.replaceAll(readPath, path) }) : error;
  }
}

/** Throws Failure `ndz-checksum` when an image is not what its side file says. */
export function checkSum(path: string, seen: string, expected: string | null): void {
  if (expected === null || seen === expected) return;
  throw ndzFail(
    'ndz-checksum',
    `${path}: its SHA-256 is ${seen}, its side file says ${expected}`,
    'save or copy the image again, its side file as well',
  );
}
