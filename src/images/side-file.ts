import { rename, rm, writeFile } from 'node:fs/promises';
import { pathBeside } from '../ndz/beside.js';
import { Failure, messageOf } from '../util/errors.js';

/** Puts a small text file beside an image, on disk and at once, in the place of one that is there. Throws Failure `image-write-failed`. */
export async function writeSideFile(target: string, text: string): Promise<void> {
  const fresh = await pathBeside(target);
  try {
    await writeFile(fresh, text, { flush: true });
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new Failure('image-write-failed', `writing ${target}: ${messageOf(error).replaceAll(fresh, target)}`, 'may this user write there?', { cause: error });
  }
}
