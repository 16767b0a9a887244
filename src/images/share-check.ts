import { missingEnd } from '../ndz/cut-image.js';
import { inspectImage } from '../ndz/reader.js';
import { Failure } from '../util/errors.js';
import { formatOfFile } from './formats.js';

/**
 * Everybody will load it: a cut or damaged image is found out now. `readPath` is where it can be read, `path` what it is
 * called. Throws Failure `ndz-cut`, those of `inspectImage`, or the signal's reason.
 */
export async function checkWhole(readPath: string, path: string, signal: AbortSignal): Promise<void> {
  try {
    if ((await formatOfFile(readPath)) !== 'ndz') return;
    const missing = await missingEnd(await inspectImage(readPath, { signal }));
    if (missing !== null) throw new Failure('ndz-cut', `${path}: ${missing}`, 'save or copy the image again');
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.code, error.message.replaceAll(readPath, path), error.hint, { cause: error }) : error;
  }
}

/** Throws Failure `ndz-checksum` when an image is not what its side file says. */
export function checkSum(path: string, seen: string, expected: string | null): void {
  if (expected === null || seen === expected) return;
  throw new Failure('ndz-checksum', `${path}: its SHA-256 is ${seen}, its side file says ${expected}`, 'save or copy the image again, its side file as well');
}
