import { createHash } from 'node:crypto';
import { isObject, isText, parseJson } from '../util/json.js';
import { loginOf } from '../util/owned-file.js';
import { printable } from '../util/text.js';
import type { FoundFile } from './folder.js';
import type { Who } from './who.js';

/** Who holds a node, kept beside its next-boot link. Who may write there can write anything: it is a reason to wait, and no more. */
export type OwnerRecord = Who & {
  /** Name of the machine it runs on, for people; empty in records of versions that knew one machine only. */
  host: string;
  /** The run; two runs in one process are two owners. */
  run: string;
  node: string;
  /** As the run says; `ownerOf` tells whose the record is. */
  login: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Text of the symbolic link that was placed. */
  target: string;
  /** Different for every record ever written. */
  nonce: string;
};

/** A file as found: what it says, or null when it is no record; `token` stands for exactly these contents; `touchedAt`: ms since 1970. */
export type FoundRecord = { record: OwnerRecord | null; token: string; touchedAt: number; uid: number };

/** The last moment of the year 9999. */
const LAST_MS = 253_402_300_799_999;
const MAX_PID = 2 ** 31 - 1;
const MAX_TEXT = 255;
const MAX_PATH = 4_096;

export function formatRecord(record: OwnerRecord): string {
  return `${JSON.stringify(record)}\n`;
}

export function foundRecord({ contents, touchedAt, uid }: FoundFile): FoundRecord {
  return { record: parseRecord(contents), touchedAt, uid, token: tokenOf(contents) };
}

/** Stands for exactly these contents. */
export function tokenOf(contents: string): string {
  return createHash('sha256').update(contents).digest('hex').slice(0, 32);
}

/** Whose a record is: the owner of its file. What it says itself is only told where this machine does not know that user. */
export function ownerOf({ record, uid }: FoundRecord): string {
  const login = loginOf(uid);
  return record === null || login !== `uid ${uid}` ? login : `${login} (${JSON.stringify(printable(record.login))})`;
}

function parseRecord(contents: string): OwnerRecord | null {
  const value = parseJson(contents);
  const complete = isObject(value) ? { ...value, host: value.host ?? '', machine: value.machine ?? null } : value;
  return isRecord(complete) ? complete : null;
}

function isRecord(value: unknown): value is OwnerRecord {
  if (!isObject(value) || !isProcess(value.process) || !isMachine(value.machine)) return false;
  const { host, run, node, login, at, target, nonce } = value;
  return [host, run, node, login, nonce].every((text) => isShort(text, MAX_TEXT)) && isShort(target, MAX_PATH) && isWithin(at, 0, LAST_MS);
}

function isProcess(value: unknown): boolean {
  return (
    isObject(value) &&
    Number.isInteger(value.pid) &&
    isWithin(value.pid, 1, MAX_PID) &&
    isShort(value.startTime, 20) &&
    isShort(value.bootId, MAX_TEXT)
  );
}

function isMachine(value: unknown): boolean {
  return value === null || (isObject(value) && isShort(value.id, MAX_TEXT) && isShort(value.pidNamespace, 20));
}

function isShort(value: unknown, maxLength: number): value is string {
  return isText(value) && value.length <= maxLength;
}

function isWithin(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && value >= from && value <= to;
}
