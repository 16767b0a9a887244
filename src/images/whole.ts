import { basename } from 'node:path';
import { endOfImage, type ImageEnd } from '../ndz/image-end.js';
import type { ImageInfo } from '../ndz/reader.js';
import { Failure } from '../util/errors.js';
import { checksumPath, hashFile, readChecksum } from './checksum-file.js';
import { provenancePath, readProvenance } from './provenance.js';

/**
 * Whether an inspected image has its last chunks, as it says itself or, where it is silent, as the files beside it tell: the
 * size that the save recorded, or its SHA-256 (computed only in doubt). Who vouches for an image with `sha256sum` is believed.
 * Throws as `endOfImage` does, Failure `ndz-checksum` when an image that may be cut is not what its side file says, or the signal's reason.
 */
export async function judgeImage(info: ImageInfo, signal?: AbortSignal): Promise<ImageEnd> {
  const end = await endOfImage(info);
  if (info.ending === 'marked' || info.ending === 'cut') return end;
  const { path, sizeBytes } = info;
  const expected = await orNull(readChecksum(path));
  const recorded = await recordedBytes(path, expected);
  if (recorded !== null && recorded > sizeBytes) {
    return { ...end, cut: `it has ${sizeBytes} bytes, and ${basename(provenancePath(path))} beside it speaks of ${recorded}: its last chunks are missing`, note: null };
  }
  if (info.ending === 'open') return end;
  if (recorded === sizeBytes) return vouched(end);
  if (expected === null) return end;
  const seen = await hashFile(path, signal ? { signal } : {});
  if (seen === expected) return vouched(end);
  throw new Failure('ndz-checksum', `${path}: its SHA-256 is ${seen}, ${checksumPath(path)} says ${expected}`, 'copy both again from where they came from');
}

/** What to tell whom an image is refused that may be cut. */
export function vouchHint(path: string, { ending }: Pick<ImageInfo, 'ending'>): string {
  return ending === 'full' ? `copy the image again; if it is whole all the same, say so: sha256sum ${path} > ${checksumPath(path)}` : 'copy the image again';
}

/** It looks cut, and is what was recorded when it was whole: what its disk says of its size is not right. */
function vouched({ cut, note, tableSectorBytes }: ImageEnd): ImageEnd {
  return { tableSectorBytes, cut: null, note: cut === null ? note : `${cut.replace(': its last chunks are missing', '')}; it is what was recorded beside it, so the disk that was imaged was smaller` };
}

/** The size that the image's record tells; null without one, and when that is of another image than the checksum. */
async function recordedBytes(path: string, expected: string | null): Promise<number | null> {
  const record = await orNull(readProvenance(path));
  return record && (expected === null || record.sha256 === expected) ? record.sizeBytes : null;
}

/** A side file that says nothing we understand is no evidence; who reads it for its own sake complains. */
async function orNull<T>(promise: Promise<T | null>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}
