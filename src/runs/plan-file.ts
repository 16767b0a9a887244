import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessIdentity } from '../util/host.js';
import { isObject, isTexts, readJson, writeDurably } from './json-file.js';

/** Version of plan.json; grows when a field changes its meaning. */
export const PLAN_SCHEMA = 1;

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
  /** Control names, in order. */
  nodes: string[];
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
  writeDurably(join(folder, 'plan.json'), `${JSON.stringify(plan, null, 1)}\n`, 0o640);
}

/** The plan in a run's folder; null when there is none that can be read. */
export function readPlan(folder: string): RunPlan | null {
  const value = readJson(join(folder, 'plan.json'));
  return isPlan(value) ? value : null;
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
  const added = now.filter(({ path }) => !then.some((file) => file.path === path)).map(({ path }) => `${path} is what the command reads now`);
  return [...changed, ...added];
}

function isPlan(value: unknown): value is RunPlan {
  if (!isObject(value)) return false;
  const { schema, run, command, argv, cwd, env, nodes, details, inputs, login, process, startedAt } = value;
  return (
    schema === PLAN_SCHEMA && typeof run === 'string' && typeof command === 'string' && isTexts(argv) && typeof cwd === 'string' &&
    isObject(env) && Object.values(env).every((each) => typeof each === 'string') && isTexts(nodes) && isObject(details) &&
    Array.isArray(inputs) && inputs.every(isInput) && typeof login === 'string' && (process === null || isObject(process)) && typeof startedAt === 'number'
  );
}

function isInput(value: unknown): value is InputFile {
  return isObject(value) && typeof value.path === 'string' && typeof value.sizeBytes === 'number' && typeof value.mtimeMs === 'number';
}
