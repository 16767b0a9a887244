import { join } from 'node:path';
import type { TargetFailure } from '../events/outcome.js';
import type { RunState, TargetState } from '../events/reducer.js';
import { foldNames } from '../nodes/names.js';
import { isMoment, isObject, isText, isTexts } from '../util/json.js';
import { writeWholeSync } from '../util/whole-file.js';
import { currentResult } from './old-schema.js';
import { readRecord, type FoundRecord } from './record-file.js';

/** Version of result.json; grows when a field changes its meaning. */
const RESULT_SCHEMA = 2;

export type FailedTarget = TargetFailure & { elapsedMs: number | null };
export type SkippedTarget = { target: string; reason: string };

/** `result.json`: how a run went, the same that its events say. Times in milliseconds since 1970. */
export type RunResult = {
  schema: number;
  run: string;
  command: string;
  exitCode: number;
  startedAt: number | null;
  finishedAt: number;
  elapsedMs: number;
  ok: string[];
  failed: FailedTarget[];
  skipped: SkippedTarget[];
  /** The same sets as short node specs: `1-3,7`. */
  folded: { ok: string; failed: string; skipped: string };
  /** Whether all events are in the journal: a full disk must not end a run. Absent in results of earlier versions. */
  journal?: 'complete' | 'incomplete';
  /** What kept the whole run from being done. */
  error: { code: string; message: string; hint: string | null } | null;
};

/** The result that a run's folded events give; null while it has not finished. */
export function resultOf(state: RunState): RunResult | null {
  if (state.finished === null) return null;
  const targets = [...state.targets.values()];
  const inPhase = (phase: TargetState['phase']): TargetState[] => targets.filter((target) => target.phase === phase);
  const [ok, failed, skipped] = [inPhase('done'), inPhase('failed'), inPhase('skipped')];
  const folded = (list: readonly TargetState[]): string => foldNames(list.map(({ name }) => name));
  return {
    schema: RESULT_SCHEMA,
    run: state.run,
    command: state.command,
    exitCode: state.finished.exitCode,
    startedAt: state.startedAt,
    finishedAt: state.finished.at,
    elapsedMs: state.finished.elapsedMs,
    ok: ok.map(({ name }) => name),
    failed: failed.flatMap(({ failure, elapsedMs }) => (failure ? [{ ...failure, elapsedMs }] : [])),
    skipped: skipped.map(({ name, note }) => ({ target: name, reason: note })),
    folded: { ok: folded(ok), failed: folded(failed), skipped: folded(skipped) },
    error: state.error,
  };
}

/** Puts the result on disk, whole or not at all. Throws the system's error. */
export function writeResult(folder: string, result: RunResult): void {
  writeWholeSync(join(folder, 'result.json'), `${JSON.stringify(result, null, 1)}\n`, { mode: 0o640 });
}

/** The result in a run's folder, with whose it is; null when there is none that can be read. */
export function readResult(folder: string): FoundRecord<RunResult> | null {
  return readRecord(join(folder, 'result.json'), isResult, currentResult);
}

function isResult(value: unknown): value is RunResult {
  if (!isObject(value) || !isObject(value.folded)) return false;
  const { schema, run, command, exitCode, finishedAt, elapsedMs, ok, failed, skipped } = value;
  return (
    schema === RESULT_SCHEMA &&
    isText(run) &&
    isText(command) &&
    Number.isInteger(exitCode) &&
    isMoment(finishedAt) &&
    typeof elapsedMs === 'number' &&
    isTexts(ok) &&
    Array.isArray(failed) &&
    failed.every(isFailed) &&
    Array.isArray(skipped) &&
    skipped.every((each) => isObject(each) && isText(each.target))
  );
}

function isFailed(value: unknown): boolean {
  return (
    isObject(value) && [value.target, value.step, value.code, value.message].every(isText) && (value.hint === null || isText(value.hint))
  );
}
