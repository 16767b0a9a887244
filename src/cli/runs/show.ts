import { formatBytes, formatDuration } from '../../monitor/format.js';
import { noun } from '../../monitor/nouns.js';
import { doneText } from '../../monitor/result-text.js';
import { renderSummary } from '../../monitor/summary.js';
import { eventText } from '../../monitor/text.js';
import { foldNames } from '../../nodes/names.js';
import type { RunState, TargetState } from '../../events/reducer.js';
import { foldJournal } from '../../runs/journal.js';
import type { RunPlan } from '../../runs/plan-file.js';
import type { RunResult } from '../../runs/result-file.js';
import { findRun, targetsByOutcome, type StoredRun } from '../../runs/store.js';
import { jsonText } from '../../util/json.js';
import { say, sayJson } from '../../util/say.js';
import { exitCodes } from '../kit/exit.js';
import { columns, localTime, runsAction } from './action.js';
import { runSummary, type RunSummary } from './list.js';

/** What `show --json` tells besides; `steps`: milliseconds in each step, by target. */
export type RunDetails = RunSummary & { plan: RunPlan; result: RunResult | null; steps: Record<string, Record<string, number>> };

/** A run's plan, its nodes, its failures with what to try. */
export const show = runsAction({
  words: '[RUN]',
  minWords: 0,
  maxWords: 1,
  options: ['json'],
  run: async ({ words, options }, context, { dir }) => {
    const run = findRun(dir, words[0] ?? 'last');
    const state = foldJournal(run.path);
    if (options.json) {
      const details: RunDetails = { ...runSummary(run), plan: run.plan, result: run.result, steps: stepsOf(state) };
      sayJson(context.stdout, details, 2);
    } else say(context.stdout, ...planLines(run), '', ...targetLines(run, state), '', ...summaryOf(run, state));
    return exitCodes.ok;
  },
});

/** The final table, and what is to be done next. */
export function summaryOf(run: StoredRun, state: RunState): string[] {
  const lines = renderSummary(state, foldNames);
  if (state.error) lines.push(eventText({ type: 'run.failed', ...state.error }) ?? '');
  const { failed, skipped, left } = targetsByOutcome(run);
  const standing = state.finished === null ? run.standing : state.finished.exitCode === 0 ? 'done' : 'failed';
  if (standing === 'died') lines.push(`died: its process is gone, and it has no result; go on with: imaging-runs resume ${run.run}`);
  else if (standing === 'failed' && failed.length + skipped.length + left.length > 0)
    lines.push(`once more for those that are not done: imaging-runs resume ${run.run}`);
  return lines;
}

function planLines({ run, path, plan, standing, result }: StoredRun): string[] {
  const details = Object.entries(plan.details).map(([name, value]) => [name, typeof value === 'object' ? jsonText(value) : String(value)]);
  return columns([
    ['run', run],
    [
      'state',
      `${standing}${result ? `, exit code ${result.exitCode}` : ''}${plan.detached ? ', in the background' : ''}${result?.journal === 'incomplete' ? ', its journal is incomplete' : ''}`,
    ],
    ['when', `${localTime(plan.startedAt)}${result ? `, took ${formatDuration(result.elapsedMs)}` : ''}`],
    ['who', `${plan.login}@${plan.host}, pid ${plan.process?.pid ?? '?'}, imaging ${plan.version}`],
    ['command', `imaging-${plan.command} ${plan.argv.join(' ')}`],
    ['folder', plan.cwd],
    ...Object.entries(plan.env),
    [noun(plan.kind, 2), `${foldNames(plan.targets)} (${plan.targets.length})`],
    ...(plan.continues === null ? [] : [['continues', plan.continues]]),
    ...details,
    ['logs', path],
  ]);
}

function targetLines({ plan }: StoredRun, state: RunState): string[] {
  const rows = plan.targets.map((name) => rowOf(name, state.targets.get(name)));
  return columns([[plan.kind, 'state', 'step', 'time', 'steps', 'result'], ...rows]);
}

function rowOf(name: string, target: TargetState | undefined): string[] {
  const steps = Object.entries(target?.stepsMs ?? {})
    .map(([step, ms]) => `${step} ${formatDuration(ms)}`)
    .join(', ');
  const time = target?.elapsedMs == null ? '' : formatDuration(target.elapsedMs);
  const state = target?.phase === 'done' ? 'ok' : (target?.phase ?? 'waiting');
  return [name, state, target?.step ?? '', time, steps, target ? resultOf(target) : ''];
}

/** What a target that is done has to say, or how far one is. */
function resultOf(target: TargetState): string {
  const { phase, doneBytes } = target;
  if (phase === 'done') return doneText(target);
  return phase === 'active' && doneBytes > 0 ? formatBytes(doneBytes) : '';
}

function stepsOf(state: RunState): Record<string, TargetState['stepsMs']> {
  return Object.fromEntries([...state.targets.values()].map(({ name, stepsMs }) => [name, stepsMs]));
}
