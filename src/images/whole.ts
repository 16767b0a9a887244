import { basename } from 'node:path';
import { endOfImage, type ImageEnd, type ImageInfo } from '../ndz/read/inspect.js';
import { Failure } from '../util/errors.js';
import { checksumPath, hashFile, readChecksum, provenancePath, readProvenance, type Provenance } from './records.js';
import { fail as ndzFail } from '../ndz/failures.js';

/**
 * Whether an inspected image has its last chunks, as it says itself or, where it is silent, as the files beside it tell: the
 * size that the save recorded, or its SHA-256 (computed only in doubt). Who vouches for an image with `sha256sum` is believed.
 * Throws as `endOfImage` does, Failure `ndz-checksum` when an image that may be cut is not what its side file says, or the signal's reason.
 */
export async function judgeImage(info: ImageInfo, signal?: AbortSignal): Promise<ImageEnd> {
  const { path } = info;
  const expected = await orNull(readChecksum(path));
  return judgeBy(info, { expected, record: await orNull(readProvenance(path)), hash: () => hashFile(path, signal ? { signal } : {}) });
}

/** What tells of an image beside itself: the SHA-256 of its side file, its origin, and its SHA-256 as it is. */
export type Evidence = { expected: string | null; record: Pick<Provenance, 'sha256' | 'sizeBytes'> | null; hash: () => Promise<string> };

/** `judgeImage` by evidence that the caller has. */
export async function judgeBy(info: ImageInfo, { expected, record, hash }: Evidence): Promise<ImageEnd> {
  const end = await endOfImage(info);
  if (info.ending === 'marked' || info.ending === 'cut') return end;
  const { path, sizeBytes } = info;
  const recorded = record && (expected === null || record.sha256 === expected) ? record.sizeBytes : null; // a record of another image than the checksum's says nothing
  if (recorded !== null && recorded > sizeBytes) {
    return {
      ...end,
      cut: `it has ${sizeBytes} bytes, and ${basename(provenancePath(path))} beside it speaks of ${recorded}: its last chunks are missing`,
      note: null,
    };
  }
  if (info.ending === 'open') return end;
  if (recorded === sizeBytes) return vouched(end);
  if (expected === null) return end;
  const seen = await hash();
  if (seen === expected) return vouched(end);
  throw ndzFail(
    'ndz-checksum',
    `${path}: its SHA-256 is ${seen}, ${checksumPath(path)} says ${expected}`,
    'copy both again from where they came from',
  );
}

/** What to tell whom an image is refused that may be cut. */
export function vouchHint(path: string, { ending }: Pick<ImageInfo, 'ending'>): string {
  return ending === 'full'
    ? `copy the image again; if it is whole all the same, say so: sha256sum ${path} > ${checksumPath(path)}`
    : 'copy the image again';
}

/** It looks cut, and is what was recorded when it was whole: what its disk says of its size is not right. */
function vouched({ cut, note, tableSectorBytes }: ImageEnd): ImageEnd {
  return {
    tableSectorBytes,
    cut: null,
    note:
      cut === null
        ? note
        : `${cut.replace(': its last chunks are missing', '')}; it is what was recorded beside it, so the disk that was imaged was smaller`,
  };
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
