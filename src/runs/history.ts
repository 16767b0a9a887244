import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { RunState } from '../events/reducer.js';
import { type Blame, isBlame } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import { systemHost } from '../util/host.js';
import { isMoment, isObject, parseJson } from '../util/json.js';
import { readOwned } from '../util/owned-file.js';
import { openLineFile, type LineFile } from './line-file.js';

/** How one node went in one run; `at` in milliseconds since 1970, `phases` how long each step took. */
export type Attempt = {
  at: number;
  run: string;
  command: string;
  node: string;
  ok: boolean;
  /** Where and why it failed; null when it is fine. */
  step: string | null;
  code: string | null;
  /** Whose fault the failure is; missing when it is fine, and in lines of older versions. */
  blame?: Blame;
  elapsedMs: number;
  phases: Record<string, number>;
  bytes: number;
};

/** A node was let out of quarantine: what it did before counts no more towards it. */
export type Release = { at: number; node: string; released: true; by: string };

/** How many attempts of a kind were in files that are gone: what keeps counters from falling. */
export type Carried = { at: number; node: string; carried: number; command: string; step: string | null; code: string | null; ok: boolean };

export type HistoryLine = Attempt | Release | Carried;

/** `history.1000.jsonl`, put aside `history.1000.1763692211000-4711.jsonl`; without the user in those of earlier versions. */
const NAME = /^history(?:\.(\d+))?(?:[.-](\d+)-\d+)?\.jsonl$/;

/** Of each user the newest files that fit into this are read: more than a user's own rotation leaves. */
const MAX_USER_BYTES = 32 << 20;
/** A file under another name than the usual is added to until it is so large. */
const OTHER_NAME_BYTES = 4 << 20;

export function healthFolder(dir: string): string {
  return join(dir, 'health');
}

export function isAttempt(line: HistoryLine): line is Attempt {
  return 'run' in line;
}

/** The file that a user adds lines to. */
export function currentHistory(dir: string, uid = systemHost.uid()): string {
  return join(healthFolder(dir), `history.${uid}.jsonl`);
}

/**
 * The file of the user in `<dir>/health`: a line for each node and run, added as soon as the node has ended. Any number of the
 * user's processes may add lines: each write is whole. Throws the system's error when it cannot be opened.
 */
export function openHistory(dir: string, onError: (error: unknown) => void): { add(line: HistoryLine): void; close(): void } {
  ensureFolder(healthFolder(dir));
  const path = ownHistory(dir, systemHost.uid());
  const file: LineFile = openLineFile(path, { mode: 0o644, alone: false, uid: systemHost.uid(), onError });
  // what a power cut or a full disk has torn must not swallow the next line
  if (!endsInNewline(path)) file.append('');
  return { add: (line) => file.append(JSON.stringify(line)), close: () => file.close() };
}

/** The user's file, or, where somebody else made one of that name first, one that counts as put aside. */
function ownHistory(dir: string, uid: number): string {
  const path = currentHistory(dir, uid);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || (found.uid === uid && found.isFile() && found.nlink === 1)) return path;
  const recent = oldHistories(dir, uid).at(-1);
  return join(
    healthFolder(dir),
    recent !== undefined && lstatSync(join(healthFolder(dir), recent)).size < OTHER_NAME_BYTES
      ? recent
      : `history.${uid}.${systemHost.now()}-${systemHost.pid}.jsonl`,
  );
}

function endsInNewline(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const last = Buffer.alloc(1);
    return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 10);
  } finally {
    closeSync(fd);
  }
}

/** What the history keeps of a node that has just ended in a run; null while it has not, when that says nothing about it, or when it is no node. */
export function attemptOf(state: RunState, node: string, at: number): Attempt | null {
  const found = state.kind === 'node' ? state.targets.get(node) : undefined;
  if (!found || (found.phase !== 'done' && found.phase !== 'failed') || found.failure?.code === 'interrupted') return null;
  return {
    at,
    run: state.run,
    command: state.command,
    node,
    ok: found.phase === 'done',
    step: found.failure?.step ?? null,
    code: found.failure?.code ?? null,
    ...(found.failure?.blame === undefined ? {} : { blame: found.failure.blame }),
    elapsedMs: found.elapsedMs ?? 0,
    phases: found.stepsMs,
    bytes: found.doneBytes,
  };
}

/**
 * All lines, oldest first; those that are not whole are passed over. Of ours and root's files, which may be acted upon, or of
 * everybody's, to be shown.
 */
export function readHistory(dir: string, whose: 'believed' | 'everybody' = 'believed'): HistoryLine[] {
  return withinLimits(dir, historyNames(dir))
    .flatMap((name) => readLines(join(healthFolder(dir), name), whose))
    .sort((a, b) => a.at - b.at);
}

/** The lines of one file; none when it is not there, or not of whose it should be. */
export function readLines(path: string, whose: 'believed' | 'everybody' = 'believed'): HistoryLine[] {
  try {
    const found = readOwned(path, systemHost.uid());
    if (found === null || (whose === 'believed' && !found.believed)) return [];
    return found.text.split('\n').flatMap((line) => parseLine(line) ?? []);
  } catch {
    return []; // it was put aside this very moment
  }
}

/** The files of a user that were put aside, oldest first; not those that somebody else gave such a name. */
export function oldHistories(dir: string, uid = systemHost.uid()): string[] {
  const timeOf = (name: string): number => Number(NAME.exec(name)?.[2] ?? Infinity);
  return historyNames(dir)
    .filter(
      (name) =>
        name.startsWith(`history.${uid}.`) &&
        timeOf(name) < Infinity &&
        lstatSync(join(healthFolder(dir), name), { throwIfNoEntry: false })?.uid === uid,
    )
    .sort((a, b) => timeOf(a) - timeOf(b));
}

/** Nobody's files, however many, fill our memory. */
function withinLimits(dir: string, names: readonly string[]): string[] {
  const bytes = new Map<number, number>();
  const files = names.flatMap((name) => {
    const found = lstatSync(join(healthFolder(dir), name), { throwIfNoEntry: false });
    return found?.isFile() === true ? [{ name, ...found }] : [];
  });
  return files
    .sort((a, b) => b.mtimeMs - a.mtimeMs)
    .filter(({ uid, size }) => {
      const sum = (bytes.get(uid) ?? 0) + size;
      if (sum <= MAX_USER_BYTES) bytes.set(uid, sum);
      return sum <= MAX_USER_BYTES;
    })
    .map(({ name }) => name);
}

function historyNames(dir: string): string[] {
  try {
    return readdirSync(healthFolder(dir)).filter((name) => NAME.test(name));
  } catch {
    return []; // there is none yet
  }
}

function parseLine(line: string): HistoryLine | null {
  if (line === '') return null;
  const value = parseJson(line);
  return isLine(value) ? value : null;
}

function isLine(value: unknown): value is HistoryLine {
  if (!isObject(value) || !isMoment(value.at) || typeof value.node !== 'string') return false;
  if (value.released === true) return true;
  const { run, command, ok, step, code, blame, elapsedMs, phases, bytes, carried } = value;
  const isTextOrNull = (each: unknown): boolean => each === null || typeof each === 'string';
  if (typeof command !== 'string' || typeof ok !== 'boolean' || !isTextOrNull(step) || !isTextOrNull(code)) return false;
  if (typeof carried === 'number') return true;
  return (
    typeof run === 'string' &&
    (blame === undefined || isBlame(blame)) &&
    typeof elapsedMs === 'number' &&
    isObject(phases) &&
    Object.values(phases).every((ms) => typeof ms === 'number') &&
    typeof bytes === 'number'
  );
}
