import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../events/outcome.js';
import type { RunState } from '../events/reducer.js';
import { ensureFolder } from '../util/folders.js';
import { isObject } from './json-file.js';
import { openLineFile, type LineFile } from './line-file.js';

/** How one node went in one run; `at` in milliseconds since 1970, `phases` how long each step took. */
export type Attempt = {
  at: number;
  run: string;
  command: string;
  node: string;
  ok: boolean;
  /** Where and why it failed; null when it is fine. */
  step: Step | null;
  code: string | null;
  elapsedMs: number;
  phases: Partial<Record<Step, number>>;
  bytes: number;
};

/** A node was let out of quarantine: what it did before counts no more towards it. */
export type Release = { at: number; node: string; released: true; by: string };

/** How many attempts of a kind were in files that are gone: what keeps counters from falling. */
export type Carried = { at: number; node: string; carried: number; command: string; step: Step | null; code: string | null; ok: boolean };

export type HistoryLine = Attempt | Release | Carried;

export const CURRENT_HISTORY = 'history.jsonl';
const OLD = /^history-\d+-\d+\.jsonl$/;

export function healthFolder(dir: string): string {
  return join(dir, 'health');
}

export function isAttempt(line: HistoryLine): line is Attempt {
  return 'run' in line;
}

/**
 * `<dir>/health/history.jsonl`: a line for each node and run, added as soon as the node has ended. Any number of
 * processes may add lines: each write is whole. Throws the system's error when it cannot be opened.
 */
export function openHistory(dir: string, onError: (error: unknown) => void): { add(line: HistoryLine): void; close(): void } {
  ensureFolder(healthFolder(dir));
  const path = join(healthFolder(dir), CURRENT_HISTORY);
  const file: LineFile = openLineFile(path, 0o664, onError);
  // what a power cut or a full disk has torn must not swallow the next line
  if (!endsInNewline(path)) file.append('');
  return { add: (line) => file.append(JSON.stringify(line)), close: () => file.close() };
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

/** What the history keeps of a node that has just ended in a run; null while it has not, or when that says nothing about it. */
export function attemptOf(state: RunState, node: string, at: number): Attempt | null {
  const found = state.nodes.get(node);
  if (!found || (found.phase !== 'done' && found.phase !== 'failed') || found.failure?.code === 'interrupted') return null;
  return {
    at, run: state.run, command: state.command, node, ok: found.phase === 'done', step: found.failure?.step ?? null, code: found.failure?.code ?? null,
    elapsedMs: found.elapsedMs ?? 0, phases: found.stepsMs, bytes: found.doneBytes,
  };
}

/** All lines, oldest first; those that are not whole are passed over. */
export function readHistory(dir: string): HistoryLine[] {
  return [...oldHistories(dir), CURRENT_HISTORY].flatMap((name) => readLines(join(healthFolder(dir), name)));
}

/** The lines of one file; none when it is not there. */
export function readLines(path: string): HistoryLine[] {
  try {
    return readFileSync(path, 'utf8').split('\n').flatMap((line) => parseLine(line) ?? []);
  } catch {
    return []; // there is none yet, or it was put aside this very moment
  }
}

/** The files that were put aside, oldest first. */
export function oldHistories(dir: string): string[] {
  try {
    return readdirSync(healthFolder(dir)).filter((name) => OLD.test(name)).sort((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1]));
  } catch {
    return [];
  }
}

function parseLine(line: string): HistoryLine | null {
  if (line === '') return null;
  try {
    const value: unknown = JSON.parse(line);
    return isLine(value) ? value : null;
  } catch {
    return null;
  }
}

function isLine(value: unknown): value is HistoryLine {
  if (!isObject(value) || typeof value.at !== 'number' || typeof value.node !== 'string') return false;
  if (value.released === true) return true;
  const { run, command, ok, step, code, elapsedMs, phases, bytes, carried } = value;
  const isTextOrNull = (each: unknown): boolean => each === null || typeof each === 'string';
  if (typeof command !== 'string' || typeof ok !== 'boolean' || !isTextOrNull(step) || !isTextOrNull(code)) return false;
  if (typeof carried === 'number') return true;
  return typeof run === 'string' && typeof elapsedMs === 'number' && isObject(phases) && Object.values(phases).every((ms) => typeof ms === 'number') && typeof bytes === 'number';
}
