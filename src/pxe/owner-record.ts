import { createHash } from 'node:crypto';
import type { ProcessIdentity } from '../util/host.js';

/** Who placed a link, kept beside it while it stands. */
export type OwnerRecord = {
  process: ProcessIdentity;
  /** The run; two runs in one process are two owners. */
  run: string;
  node: string;
  login: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Text of the symbolic link that was placed. */
  target: string;
  /** Different for every record ever written. */
  nonce: string;
};

/** A file's contents as found: what they say, or null when they are no record; `token` stands for exactly these contents. */
export type FoundRecord = { record: OwnerRecord | null; token: string };

export function formatRecord(record: OwnerRecord): string {
  return `${JSON.stringify(record)}\n`;
}

export function foundRecord(contents: string): FoundRecord {
  return { record: parseRecord(contents), token: createHash('sha256').update(contents).digest('hex').slice(0, 32) };
}

function parseRecord(contents: string): OwnerRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(contents);
  } catch {
    return null;
  }
  return isRecord(value) ? value : null;
}

function isRecord(value: unknown): value is OwnerRecord {
  if (!isObject(value) || !isObject(value.process)) return false;
  const { process, run, node, login, at, target, nonce } = value;
  return (
    Number.isSafeInteger(process.pid) && isText(process.startTime) && isText(process.bootId) &&
    isText(run) && isText(node) && isText(login) && isText(target) && isText(nonce) && typeof at === 'number' && Number.isFinite(at)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
