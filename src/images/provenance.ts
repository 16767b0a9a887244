import { lstat, readFile, realpath } from 'node:fs/promises';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { writeSideFile } from './side-file.js';

const SCHEMA = 1;

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
};

export function provenancePath(path: string): string {
  return `${path}.json`;
}

/** Writes `<path>.json`, at once. Throws Failure `image-write-failed`. */
export async function writeProvenance(path: string, provenance: Provenance): Promise<void> {
  await writeSideFile(provenancePath(path), `${JSON.stringify({ schema: SCHEMA, ...provenance }, null, 2)}\n`);
}

/** What `<path>.json` says, or what stands beside the file that `path` is a link to; null without one. Throws Failure `provenance-unreadable` when it says nothing we understand. */
export async function readProvenance(path: string): Promise<Provenance | null> {
  const file = provenancePath(path);
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(file, messageOf(error), error);
    const isLink = (await lstat(path).catch(() => null))?.isSymbolicLink() === true;
    return isLink ? readProvenance(await realpath(path)) : null;
  }
  if (!isProvenance(parsed)) throw unreadable(file, 'fields are missing or of the wrong kind');
  const { sha256, sizeBytes, image, node, by, gateway, savedAt, comment, base, stamp, verified } = parsed;
  return { sha256, sizeBytes, image, node, by, gateway, savedAt, comment, base, stamp, verified };
}

function unreadable(file: string, why: string, cause?: unknown): Failure {
  return new Failure('provenance-unreadable', `${file} does not say where its image comes from: ${why}`, 'remove it when it is not from imaging-save', { cause });
}

function isProvenance(value: unknown): value is Provenance {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const has = (names: string[], ...types: string[]): boolean => names.every((name) => types.includes(fields.get(name) === null ? 'null' : typeof fields.get(name)));
  return fields.get('schema') === SCHEMA && has(['sha256', 'image', 'node', 'by', 'gateway', 'savedAt'], 'string') && has(['comment', 'base', 'stamp'], 'string', 'null')
    && has(['sizeBytes'], 'number') && has(['verified'], 'boolean');
}
