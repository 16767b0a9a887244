import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { HeldFolder } from '../util/held-folder.js';
import { commandOfName, isRunName, openRun, runNames, runsFolder, timeOfName } from './store.js';

export type Retention = {
  /** How many runs of each command. */
  keep: number;
  /** 0: for ever. */
  keepDays: number;
};

const DAY_MS = 86_400_000;
/** A run that died, or was ended by a signal, may be resumed this long. */
const RESUMABLE_MS = 7 * DAY_MS;
/** A folder without a plan may be that of a run that is just being made. */
const NEWBORN_MS = DAY_MS;
/** What a run writes into its folder; a folder with anything else in it is not ours to remove. */
const OUR_FILES =
  /^(plan\.json|result\.json|events\.jsonl|[\w.-]+\.log|\.reserve|\.(plan|result)\.json\.[\w-]+\.[0-9a-f]+\.tmp|(plan|result)\.json\.\d+\.tmp)$/;

/**
 * Removes the runs in `<dir>/runs` that are too many of their command, or too old; returns their names. Runs that are
 * alive stay, and so do those that died or were ended by a signal less than a week ago: they can be resumed. Where nothing is too much or too
 * old, only names are looked at. What cannot be removed stays.
 */
export function pruneRuns(dir: string, { keep, keepDays }: Retention, nowMs: number): string[] {
  const oldest = keepDays === 0 ? -Infinity : nowMs - keepDays * DAY_MS;
  const names = runNames(dir);
  const counts = new Map<string, number>();
  for (const name of names) counts.set(commandOfName(name), (counts.get(commandOfName(name)) ?? 0) + 1);
  const seen = new Map<string, number>();
  const removed: string[] = [];
  for (const name of names) {
    const isTooOld = timeOfName(name) < oldest;
    if (!isTooOld && (counts.get(commandOfName(name)) ?? 0) <= keep) continue;
    // each user's own are counted: nobody's runs push out somebody else's
    const kind = `${commandOfName(name)} ${lstatSync(join(runsFolder(dir), name), { throwIfNoEntry: false })?.uid}`;
    const rank = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, rank);
    if (rank <= keep && !isTooOld) continue;
    if (isOver(dir, name, nowMs) && removeRun(join(runsFolder(dir), name))) removed.push(name);
  }
  return removed;
}

function isOver(dir: string, name: string, nowMs: number): boolean {
  const run = openRun(dir, name);
  const ageMs = nowMs - timeOfName(name);
  if (run === null) return ageMs > NEWBORN_MS;
  const isUnfinished = run.standing === 'died' || (run.result?.exitCode ?? 0) > 128;
  return isUnfinished ? ageMs > RESUMABLE_MS : run.standing !== 'running';
}

/** Removes a run's folder when it is one; true when it is gone. */
export function removeRun(path: string): boolean {
  let folder: HeldFolder | null = null;
  try {
    if (!isRunName(path.split('/').at(-1) ?? '')) return false;
    folder = HeldFolder.open(path, { follow: false }); // held: nobody makes another folder of it meanwhile
    const held = folder;
    const entries = readdirSync(held.at('.'), { withFileTypes: true });
    if (!entries.every((entry) => entry.isFile() && OUR_FILES.test(entry.name))) return false;
    // the plan last: when this is cut short, what is left is still a run, and goes the next time
    for (const { name } of entries.sort((a, b) => Number(a.name === 'plan.json') - Number(b.name === 'plan.json')))
      unlinkSync(held.at(name));
    rmdirSync(path);
    return true;
  } catch {
    return false; // another process is at it, or it is somebody else's
  } finally {
    folder?.close();
  }
}
