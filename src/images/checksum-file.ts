import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, realpath, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { reasonOf } from '../util/abort.js';
import { type Failure, messageOf } from '../util/errors.js';
import { readSideText, writeSideFile, type SideFile } from './side-file.js';
import { fail } from './failures.js';
import { fail as ndzFail } from '../ndz/failures.js';

const READ_BYTES = 1024 * 1024;

/** Where the checksum of a file lies: beside it, in the format of sha256sum. */
export function checksumPath(path: string): string {
  return `${path}.sha256`;
}

/** Writes `<path>.sha256`, at once. Throws Failure `image-write-failed`. */
export async function writeChecksum(path: string, sha256: string): Promise<void> {
  await writeSideFile(checksumFile(path, sha256));
}

/** What `<path>.sha256` is to be. */
export function checksumFile(path: string, sha256: string): SideFile {
  return { path: checksumPath(path), text: `${sha256}  ${basename(path)}\n` };
}

/** Removes `<path>.sha256`, which must not outlive the file that it was of. */
export async function removeChecksum(path: string): Promise<void> {
  await rm(checksumPath(path), { force: true });
}

/** What `<path>.sha256` says, as 64 hex digits, or what stands beside the file that `path` is a link to; null without one. Throws Failure `checksum-unreadable` when it says nothing we understand. */
export async function readChecksum(path: string): Promise<string | null> {
  const text = await readSideText(checksumPath(path)).catch((error: unknown) => {
    throw unreadableChecksum(path, error);
  });
  if (text === null) return (await isLink(path)) ? readChecksum(await realpath(path)) : null;
  return parseChecksum(text, path);
}

export function unreadableChecksum(path: string, error: unknown): Failure {
  return fail('checksum-unreadable', `reading ${checksumPath(path)}: ${messageOf(error)}`, undefined, { cause: error });
}

/** The SHA-256 that the text of `<path>.sha256` has for that file, as 64 hex digits. Throws Failure `checksum-unreadable`. */
export function parseChecksum(text: string, path: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  // a file may list several; one for another name says nothing about this one
  const matches = lines.map((line) => /^([0-9a-fA-F]{64})(?:\s+[ *]?(.+?)\s*)?$/.exec(line));
  const own = matches.find((match) => match && (match[2] === undefined || basename(match[2]) === basename(path)));
  if (own?.[1]) return own[1].toLowerCase();
  throw fail(
    'checksum-unreadable',
    `${checksumPath(path)} has no SHA-256 of ${basename(path)}`,
    'make it anew: sha256sum IMAGE > IMAGE.sha256',
  );
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() === true;
}

/** SHA-256 of a whole file, hex. Throws Failure `ndz-unreadable`, or the signal's reason. */
export async function hashFile(
  path: string,
  { signal, onBytes }: { signal?: AbortSignal; onBytes?: (doneBytes: number) => void } = {},
): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>) {
      if (signal?.aborted) throw reasonOf(signal);
      hash.update(piece);
      onBytes?.((done += piece.byteLength));
    }
  } catch (error) {
    if (signal?.aborted) throw reasonOf(signal);
    throw ndzFail('ndz-unreadable', `reading ${path} at byte ${done}: ${messageOf(error)}`, 'does it exist, and may this user read it?', {
      cause: error,
    });
  }
  return hash.digest('hex');
}
