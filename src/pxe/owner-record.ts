import { createHash } from 'node:crypto';
import type { ProcessIdentity } from '../util/host.js';

/** Who holds a node, kept beside its next-boot link. */
export type OwnerRecord = {
  process: ProcessIdentity;
  /** The machine it runs on; empty in records of earlier versions, which knew one machine only. */
  host: string;
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

/** A file as found: what it says, or null when it is no record; `token` stands for exactly these contents; `touchedAt`: ms since 1970. */
export type FoundRecord = { record: OwnerRecord | null; token: string; touchedAt: number };

export function formatRecord(record: OwnerRecord): string {
  return `${JSON.stringify(record)}\n`;
}

export function foundRecord(contents: string, touchedAt: number): FoundRecord {
  return { record: parseRecord(contents), touchedAt, token: createHash('sha256').update(contents).digest('hex').slice(0, 32) };
}

function parseRecord(contents: string): OwnerRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(contents);
  } catch {
    return null;
  }
  const withHost = isObject(value) && value.host === undefined ? { ...value, host: '' } : value;
  return isRecord(withHost) ? withHost : null;
}

function isRecord(value: unknown): value is OwnerRecord {
  if (!isObject(value) || !isObject(value.process)) return false;
  const { process, host, run, node, login, at, target, nonce } = value;
  return (
    Number.isSafeInteger(process.pid) && isText(process.startTime) && isText(process.bootId) &&
    isText(host) && isText(run) && isText(node) && isText(login) && isText(target) && isText(nonce) && typeof at === 'number' && Number.isFinite(at)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
