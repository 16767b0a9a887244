import { fail as ndzFail } from '../ndz/failures.js';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, realpath, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { reasonOf } from '../util/abort.js';
import { type Failure, messageOf } from '../util/errors.js';
import { readSideText, writeSideFile, type SideFile } from './side-file.js';
import { fail } from './failures.js';

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

const SCHEMA = 1;

/**
 * What speaks against a disk that was saved all the same. `half-written`: a load of it had not ended well; `unverified`:
 * what the load wrote was not read back. A later version may know more of them: whatever it is, the image is not to be trusted.
 */
export type DiskMark = 'half-written' | 'unverified';

/** Where an image comes from, as `<image>.json` beside it says. */
export type Provenance = {
  /** Of the image file, 64 hex digits: for another content it says nothing. */
  sha256: string;
  sizeBytes: number;
  /** What the person called it. */
  image: string;
  node: string;
  by: string;
  /** The machine it was saved on. */
  gateway: string;
  /** ISO 8601, UTC. */
  savedAt: string;
  comment: string | null;
  /** The stamp line of what the node ran: what it was made from. */
  base: string | null;
  /** The stamp line that was written into it; null when that could not be done, or was not wanted. */
  stamp: string | null;
  /** The image was read back and every chunk inflated before it got its name. */
  verified: boolean;
  /** What the gateway's records had against the disk when it was saved, see `DiskMark`; null: nothing. */
  disk: string | null;
  /** Why no stamp could be written on the disk, such as a root file system that could not be mounted; null: it could, or was not wanted. */
  notStamped: string | null;
};

export function provenancePath(path: string): string {
  return `${path}.json`;
}

/** Writes `<path>.json`, at once. Throws Failure `image-write-failed`. */
export async function writeProvenance(path: string, provenance: Provenance): Promise<void> {
  await writeSideFile(provenanceFile(path, provenance));
}

/** What `<path>.json` is to be. */
export function provenanceFile(path: string, provenance: Provenance): SideFile {
  return { path: provenancePath(path), text: `${JSON.stringify({ schema: SCHEMA, ...provenance }, null, 2)}\n` };
}

/** What `<path>.json` says, or what stands beside the file that `path` is a link to; null without one. Throws Failure `provenance-unreadable` when it says nothing we understand. */
export async function readProvenance(path: string): Promise<Provenance | null> {
  const text = await readSideText(provenancePath(path)).catch((error: unknown) => {
    throw unreadableProvenance(path, messageOf(error), error);
  });
  if (text !== null) return parseProvenance(text, path);
  const isLink = (await lstat(path).catch(() => null))?.isSymbolicLink() === true;
  return isLink ? readProvenance(await realpath(path)) : null;
}

/** What the text of `<path>.json` says. Throws Failure `provenance-unreadable`. */
export function parseProvenance(text: string, path: string): Provenance {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw unreadableProvenance(path, 'it is not JSON', error); // not in the parser's words, which quote it
  }
  if (!isStored(parsed)) throw unreadableProvenance(path, 'fields are missing or of the wrong kind');
  const { sha256, sizeBytes, image, node, by, gateway, savedAt, comment, base, stamp, verified, disk = null, notStamped = null } = parsed;
  return { sha256, sizeBytes, image, node, by, gateway, savedAt, comment, base, stamp, verified, disk, notStamped };
}

export function unreadableProvenance(path: string, why: string, cause?: unknown): Failure {
  return fail(
    'provenance-unreadable',
    `${provenancePath(path)} does not say where its image comes from: ${why}`,
    'remove it when it is not from imaging-save',
    { cause },
  );
}

/** As it lies on disk: what was saved before these fields were there has neither. */
type Stored = Omit<Provenance, 'disk' | 'notStamped'> & Partial<Pick<Provenance, 'disk' | 'notStamped'>>;

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const has = (names: string[], ...types: string[]): boolean =>
    names.every((name) => types.includes(fields.get(name) === null ? 'null' : typeof fields.get(name)));
  return (
    fields.get('schema') === SCHEMA &&
    has(['sha256', 'image', 'node', 'by', 'gateway', 'savedAt'], 'string') &&
    has(['comment', 'base', 'stamp'], 'string', 'null') &&
    has(['disk', 'notStamped'], 'string', 'null', 'undefined') &&
    has(['sizeBytes'], 'number') &&
    has(['verified'], 'boolean')
  );
}

/**
 * What a provenance says against its image, as a sentence; null when nothing. `sizeBytes` is that of the image it lies
 * beside: of another content it says nothing.
 */
export function doubtOf(provenance: Provenance | null, sizeBytes: number): string | null {
  if (provenance === null || provenance.sizeBytes !== sizeBytes) return null;
  const { disk, node, by, verified } = provenance;
  const from = `saved from ${node} by ${by}`;
  if (disk === 'half-written') return `${from} while the disk was half-written, as a load onto it had not ended well`;
  if (disk === 'unverified') return `${from} from a disk of which nothing had been read back after it was written`;
  if (disk !== null) return `${from} from a disk that was ${disk}`;
  return verified ? null : `${from}, and not read back then`;
}
