import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { TargetKind } from '../events/work.js';
import { isProcessIdentity, type ProcessIdentity } from '../util/host.js';
import { isMoment, isObject, isTexts } from '../util/json.js';
import { writeWholeSync } from '../util/whole-file.js';
import { currentPlan } from './old-schema.js';
import { readRecord, type FoundRecord } from './record-file.js';

/** Version of plan.json; grows when a field changes its meaning. */
export const PLAN_SCHEMA = 2;

/** A file that a run reads, as it was when the run was planned. `mtimeMs`: milliseconds since 1970. */
export type InputFile = { path: string; sizeBytes: number; mtimeMs: number };

/** The variables that decide on a command's configuration and nodes. */
export const PLAN_VARIABLES = ['IMAGING_CONFIG', 'NODES', 'ALL_NODES'] as const;

/** `plan.json`: what a run set out to do, on disk before anything is touched. Times in milliseconds since 1970. */
export type RunPlan = {
  schema: number;
  run: string;
  command: string;
  /** What followed the command's name, as typed. */
  argv: string[];
  cwd: string;
  /** Those of PLAN_VARIABLES that were set. */
  env: Record<string, string>;
  /** What it works on, and the names, in order. */
  kind: TargetKind;
  targets: string[];
  details: Record<string, unknown>;
  /** Files that must be the same for the run to be resumed. */
  inputs: InputFile[];
  login: string;
  host: string;
  process: ProcessIdentity | null;
  version: string;
  startedAt: number;
  /** The run it was resumed from. */
  continues: string | null;
  detached: boolean;
};

/** Puts the plan on disk. Throws the system's error. */
export function writePlan(folder: string, plan: RunPlan): void {
  writeWholeSync(join(folder, 'plan.json'), `${JSON.stringify(plan, null, 1)}\n`, { mode: 0o640 });
}

/** The plan in a run's folder, with whose it is; null when there is none that can be read. `login` is its owner, whatever it says. */
export function readPlan(folder: string): FoundRecord<RunPlan> | null {
  const found = readRecord(join(folder, 'plan.json'), isPlan, currentPlan);
  return found && { ...found, value: { ...found.value, login: found.login } };
}

/** The files as they are now; those that are not there are left out. */
export function stampInputs(paths: readonly string[]): InputFile[] {
  return paths.flatMap((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found ? [{ path, sizeBytes: found.size, mtimeMs: found.mtimeMs }] : [];
  });
}

/** What differs between the files a run was planned with and those of now, one phrase each. */
export function changedInputs(then: readonly InputFile[], now: readonly InputFile[]): string[] {
  const changed = then.flatMap((file) => {
    const other = now.find(({ path }) => path === file.path);
    if (!other) return [`${file.path} is gone, or no longer what the command reads`];
    if (other.sizeBytes !== file.sizeBytes) return [`${file.path} had ${file.sizeBytes} bytes and has ${other.sizeBytes}`];
    return other.mtimeMs === file.mtimeMs ? [] : [`${file.path} was written again at ${new Date(other.mtimeMs).toISOString()}`];
  });
  const added = now
    .filter(({ path }) => !then.some((file) => file.path === path))
    .map(({ path }) => `${path} is what the command reads now`);
  return [...changed, ...added];
}

function isPlan(value: unknown): value is RunPlan {
  if (!isObject(value)) return false;
  const {
    schema,
    run,
    command,
    argv,
    cwd,
    env,
    kind,
    targets,
    details,
    inputs,
    login,
    host,
    process,
    version,
    startedAt,
    continues,
    detached,
  } = value;
  return (
    schema === PLAN_SCHEMA &&
    typeof run === 'string' &&
    typeof command === 'string' &&
    isTexts(argv) &&
    typeof cwd === 'string' &&
    isObject(env) &&
    Object.values(env).every((each) => typeof each === 'string') &&
    ['node', 'drive', 'job'].includes(String(kind)) &&
    isTexts(targets) &&
    isObject(details) &&
    Array.isArray(inputs) &&
    inputs.every(isInput) &&
    typeof login === 'string' &&
    typeof host === 'string' &&
    typeof version === 'string' &&
    (process === null || isProcessIdentity(process)) &&
    isMoment(startedAt) &&
    (continues === null || typeof continues === 'string') &&
    typeof detached === 'boolean'
  );
}

function isInput(value: unknown): value is InputFile {
  return isObject(value) && typeof value.path === 'string' && typeof value.sizeBytes === 'number' && typeof value.mtimeMs === 'number';
}
