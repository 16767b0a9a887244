import { foldNames } from '../../nodes/names.js';
import { newestRuns, targetsByOutcome, runsFolder, type Standing, type StoredRun, type TargetsByOutcome } from '../../runs/store.js';
import type { RunPlan } from '../../runs/plan-file.js';
import { UserError } from '../../util/errors.js';
import { say, sayJson } from '../../util/say.js';
import { exitCodes } from '../kit/exit.js';
import { columns, localTime, runsAction } from './action.js';

const DEFAULT_COUNT = 20;

/** The newest runs, one line each. */
export const list = runsAction({
  words: '',
  minWords: 0,
  maxWords: 0,
  options: ['count', 'json'],
  run: async ({ options }, context, { dir }) => {
    const runs = newestRuns(dir, options.count ?? DEFAULT_COUNT);
    if (options.json) sayJson(context.stdout, runs.map(runSummary), 2);
    else if (runs.length === 0) say(context.stdout, `no runs in ${runsFolder(dir)}`);
    else
      say(context.stdout, ...columns([['run', 'when', 'who', 'command', 'nodes', 'ok', 'failed', 'skipped', 'state'], ...runs.map(row)]));
    return exitCodes.ok;
  },
});

/** A run as `list --json` and `show --json` tell it; times in milliseconds since 1970. */
export type RunSummary = Pick<RunPlan, 'command' | 'startedAt' | 'login' | 'kind' | 'targets' | 'continues' | 'detached'> &
  Partial<TargetsByOutcome> & {
    run: string;
    state: Standing;
    finishedAt: number | null;
    exitCode: number | null;
    /** The sets as short node specs: `1-3,7`. */
    folded: Partial<Record<keyof TargetsByOutcome, string>>;
    journal: 'complete' | 'incomplete' | 'unreadable';
    folder: string;
  };

export function runSummary(run: StoredRun): RunSummary {
  const { plan, result, standing } = run;
  const outcome = outcomeOrNull(run);
  return {
    run: run.run,
    command: plan.command,
    state: standing,
    startedAt: plan.startedAt,
    finishedAt: result?.finishedAt ?? null,
    exitCode: result?.exitCode ?? null,
    login: plan.login,
    kind: plan.kind,
    targets: plan.targets,
    ...outcome,
    folded: Object.fromEntries(Object.entries(outcome ?? {}).map(([how, names]) => [how, foldNames(names)])),
    continues: plan.continues,
    detached: plan.detached,
    journal: outcome === null ? 'unreadable' : (result?.journal ?? 'complete'),
    folder: run.path,
  };
}

/** Null when the journal that would say it cannot be read: one such run must not hide the others. */
function outcomeOrNull(run: StoredRun): TargetsByOutcome | null {
  try {
    return targetsByOutcome(run);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function row(run: StoredRun): string[] {
  const { plan, result, standing } = run;
  const outcome = outcomeOrNull(run);
  const { ok, failed, skipped, left } = outcome ?? { ok: [], failed: [], skipped: [], left: [] };
  const notes = [
    ...(left.length > 0 ? [`${left.length} not done`] : []),
    ...(outcome === null ? ['journal unreadable'] : result?.journal === 'incomplete' ? ['journal incomplete'] : []),
  ];
  const state = [standing, ...notes].join(', ');
  return [
    run.run,
    localTime(plan.startedAt),
    plan.login,
    plan.command,
    shortened(foldNames(plan.targets)),
    ...[ok, failed, skipped].map((names) => String(names.length)),
    state,
  ];
}

function shortened(folded: string): string {
  return folded.length <= 30 ? folded : `${folded.slice(0, 27)}...`;
}
