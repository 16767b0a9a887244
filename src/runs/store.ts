import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { targetsIn, type RunState } from '../events/reducer.js';
import { systemCode, UserError } from '../util/errors.js';
import { HeldFolder } from '../util/held-folder.js';
import { ensureFolder } from '../util/folders.js';
import { isAlive, type Host } from '../util/host.js';
import { foldJournal } from './journal.js';
import { readPlan, type RunPlan } from './plan-file.js';
import { readResult, type RunResult } from './result-file.js';

/** `died`: it has no result and its process is gone. `failed`: at least one target, or the whole of it, did not work out. */
export type Standing = 'running' | 'done' | 'failed' | 'died';

/** A run as its folder has it. `believed`: we or root made it, and nobody else can have changed it: it may be acted upon. */
export type StoredRun = {
  run: string;
  path: string;
  uid: number;
  believed: boolean;
  plan: RunPlan;
  result: RunResult | null;
  standing: Standing;
};

/** How targets of a run went, each list in the order of its plan. `left`: not finished, in a run that lives or has died. */
export type TargetsByOutcome = { ok: string[]; failed: string[]; skipped: string[]; left: string[] };

const RUN_NAME = /^(\d{8}-\d{6})-([a-z]+)-[0-9a-f]{4}$/;

/** Whether a folder of that name may be a run's. */
export function isRunName(name: string): boolean {
  return RUN_NAME.test(name);
}

/** The command a run's name says. */
export function commandOfName(name: string): string {
  return RUN_NAME.exec(name)?.[2] ?? '';
}

/** Milliseconds since 1970 that a run's name says, to the second. */
export function timeOfName(name: string): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(name) ?? [];
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
}

export function runsFolder(dir: string): string {
  return join(dir, 'runs');
}

/** A name for a run that sorts by time and is unique: `20261121-023011-load-3f2a`. */
export function newRunId(command: string, host: Host): string {
  const stamp = new Date(host.now()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const random = Math.floor(host.random() * 0x10000)
    .toString(16)
    .padStart(4, '0');
  return `${stamp}-${command}-${random}`;
}

/**
 * Makes a run's folder, ours alone to write, and holds it. One of ours that is there already, from the command that sends this
 * one into the background, will do. Throws the system's error, or one that says whose the folder is.
 */
export function makeRunFolder(path: string): HeldFolder {
  ensureFolder(join(path, '..'));
  try {
    mkdirSync(path, 0o750);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  const folder = HeldFolder.open(path, { follow: false });
  const { uid, mode } = folder.stats();
  if (uid === (process.geteuid?.() ?? uid) && (mode & 0o022) === 0) return folder;
  folder.close();
  throw new Error(`${path} belongs to user ${uid}, or others may write it`);
}

/** The names of the runs that are kept in `<dir>/runs`, newest first; within a second in no particular order. */
export function runNames(dir: string): string[] {
  try {
    return readdirSync(runsFolder(dir)).filter(isRunName).sort().reverse();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new UserError(
      'environment',
      `the runs in ${runsFolder(dir)} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'see runs.dir',
      { cause: error },
    );
  }
}

/** A run by its whole name; null when it has no plan, as when it was killed before it touched anything. */
export function openRun(dir: string, run: string): StoredRun | null {
  const path = join(runsFolder(dir), run);
  let folder: HeldFolder;
  try {
    folder = HeldFolder.open(path, { follow: false });
  } catch {
    return null; // none, or not ours to look at
  }
  try {
    const { uid, mode } = folder.stats();
    const [plan, result] = [readPlan(folder.at('.')), readResult(folder.at('.'))];
    if (plan === null || plan.uid !== uid) return null; // what somebody else has put into the folder is no plan of its owner's
    const ownResult = result?.uid === uid ? result : null;
    const believed = plan.believed && ownResult?.believed !== false && (mode & 0o022) === 0;
    return {
      run,
      path,
      uid,
      believed,
      plan: plan.value,
      result: ownResult?.value ?? null,
      standing: standingOf(plan.value, ownResult?.value ?? null),
    };
  } finally {
    folder.close();
  }
}

function standingOf(plan: RunPlan, result: RunResult | null): Standing {
  if (result !== null) return result.exitCode === 0 ? 'done' : 'failed';
  return plan.process !== null && isAlive(plan.process) ? 'running' : 'died';
}

/** The newest `count` runs that have a plan, newest first: of a command, or that may be acted upon. */
export function newestRuns(
  dir: string,
  count: number,
  { command, believed = false }: { command?: string | undefined; believed?: boolean } = {},
): StoredRun[] {
  const names = runNames(dir).filter((name) => command === undefined || commandOfName(name) === command);
  const found: StoredRun[] = [];
  for (let index = 0; index < names.length && found.length < count; ) {
    // several runs may have begun in one second: their plans tell which came last
    const second = names[index]!.slice(0, 15);
    const together: StoredRun[] = [];
    for (; index < names.length && names[index]!.startsWith(second); index += 1)
      together.push(...[openRun(dir, names[index]!)].filter((run) => run !== null).filter((run) => run.believed || !believed));
    found.push(...together.sort((a, b) => b.plan.startedAt - a.plan.startedAt));
  }
  return found.slice(0, count);
}

/** The runs of ours or root's that were resumed from a run, or from one of these, oldest first. */
export function continuationsOf(dir: string, run: string): StoredRun[] {
  const chain = new Set([run]);
  const later = runNames(dir)
    .filter((name) => timeOfName(name) >= timeOfName(run))
    .reverse();
  const candidates = later
    .flatMap((name) => openRun(dir, name) ?? [])
    .filter(({ believed }) => believed)
    .sort((a, b) => a.plan.startedAt - b.plan.startedAt);
  return candidates.filter(({ run: name, plan }) => plan.continues !== null && chain.has(plan.continues) && chain.add(name).size > 0);
}

/**
 * The run that a person means: `last` or `last-load` of those that we or root made, a run's name, or the beginning of one.
 *
 * @throws UserError `usage` when there is none, or several
 */
export function findRun(dir: string, reference: string): StoredRun {
  const last = /^last(?:-([a-z]+))?$/.exec(reference);
  if (last) {
    const newest = newestRuns(dir, 1, { command: last[1], believed: true })[0];
    if (newest) return newest;
    if (newestRuns(dir, 1, { command: last[1] }).length > 0)
      throw new UserError('usage', `no run in ${runsFolder(dir)} is yours or root's`, "'imaging-runs list' shows others': say their names");
    throw new UserError(
      'usage',
      last[1] === undefined ? `there is no run in ${runsFolder(dir)} yet` : `there is no run of imaging-${last[1]} in ${runsFolder(dir)}`,
      "'imaging-runs list' shows what there is",
    );
  }
  const matching = reference === '' ? [] : runNames(dir).filter((name) => name.startsWith(reference));
  if (matching.length > 1 && !matching.includes(reference))
    throw new UserError(
      'usage',
      `${JSON.stringify(reference)} may be ${matching.length} runs`,
      `say more of its name: ${matching.slice(0, 3).join(', ')}`,
    );
  const name = matching.includes(reference) ? reference : matching[0];
  const run = name === undefined ? null : openRun(dir, name);
  if (run) return run;
  if (name !== undefined) throw new UserError('usage', `run ${name} has no plan: it ended before it touched anything`);
  const newest = newestRuns(dir, 3).map((each) => each.run);
  throw new UserError(
    'usage',
    `there is no run ${JSON.stringify(shortened(reference))} in ${runsFolder(dir)}`,
    newest.length > 0 ? `say last, or a run's name: the newest are ${newest.join(', ')}` : 'no run is kept there yet',
  );
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** How the targets of a run went, or have gone so far. */
export function targetsByOutcome({ path, plan, result }: StoredRun): TargetsByOutcome {
  if (result)
    return {
      ok: result.ok,
      failed: result.failed.map(({ target }) => target),
      skipped: result.skipped.map(({ target }) => target),
      left: [],
    };
  return outcomeOf(foldJournal(path), plan.targets);
}

function outcomeOf(state: RunState, planned: readonly string[]): TargetsByOutcome {
  const [ok, failed, skipped] = [targetsIn(state, 'done'), targetsIn(state, 'failed'), targetsIn(state, 'skipped')];
  const over = new Set([...ok, ...failed, ...skipped]);
  return { ok, failed, skipped, left: planned.filter((target) => !over.has(target)) };
}
