import { basename } from 'node:path';
import type { Outcome, TargetFailure } from '../../events/outcome.js';
import { type RunState, targetsIn } from '../../events/reducer.js';
import { openMonitor, resolveMode, type ProgressMode } from '../../monitor/monitor.js';
import { renderSummary } from '../../monitor/summary.js';
import type { RunPlan } from '../../runs/plan-file.js';
import { newRunId, type StoredRun } from '../../runs/store.js';
import { keepHeapSmall } from '../../util/heap.js';
import { jsonText } from '../../util/json.js';
import { say, sayJson, sayText, warn } from '../../util/say.js';
import { runControls } from '../kit/run-controls.js';
import { backgroundRun, startInBackground } from '../../app/detach.js';
import { acceptPlan, refuseChanged, type RunEnd } from '../../app/execute-run.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { planRecord } from '../../app/record-run.js';
import { version } from '../../app/version.js';
import type { CommandContext, NodeCommand } from '../kit/command.js';
import { exitCodeOfError, exitCodes } from '../kit/exit.js';
import type { Arguments, OptionsOf } from '../kit/option-spec.js';
import { openResults } from '../kit/results.js';
import { lostProgress, tellLosses } from '../kit/tell-losses.js';
import type { nodeOptions, runOptions } from './options.js';
import { fail as leaseFail } from '../../leases/failures.js';
import { fail as pxeFail } from '../../pxe/failures.js';
import { fail as workflowFail } from '../../workflows/failures.js';

/** A run that is done again, for the nodes that it did not get done. `force`: although what it reads has changed. */
export type Resumed = { from: StoredRun; force: boolean };

/** What `--dry-run --progress json` prints: the plan, whose other fields depend on the command. */
export type DryRunReport = { command: string; nodes: readonly string[]; [detail: string]: unknown };

/** What a command line says to all commands on nodes alike. */
type SharedOptions = OptionsOf<typeof nodeOptions> & Partial<OptionsOf<typeof runOptions>>;

/** Everything that commands on nodes have in common: monitor, journal, log, undoing, final table, exit code. */
export async function runNodeCommand(
  command: NodeCommand,
  args: Arguments,
  context: CommandContext,
  resumed: Resumed | null = null,
): Promise<number> {
  const { plan: planOf } = await command.load();
  const workflow = await planOf(args, context);
  const options = args.options as SharedOptions; // as: the options of every command on nodes begin with these (table.test.ts)
  const mode = progressMode(options, workflow);
  if (workflow.dryRun) {
    await workflow.abandon?.();
    if (mode === 'json')
      sayJson(context.stdout, { command: command.name, nodes: workflow.nodes, ...workflow.details } satisfies DryRunReport);
    else say(context.stdout, ...renderPlan(command.name, workflow));
    return exitCodes.ok;
  }
  const background = backgroundRun(context.host);
  const run = background ?? newRunId(command.name, context.host);
  const from = resumed?.from ?? null;
  const plan = planRecord({ run, command: command.name, workflow, version: version(), from, detached: background !== null }, context);
  if (resumed && !resumed.force) refuseChanged(resumed.from, plan);
  if (options.detach && background === null) {
    await workflow.abandon?.();
    return goOnInBackground(command.name, workflow.stateDir, context);
  }
  return showRun(plan, workflow, resolveMode(mode, context.stderr, context.host.env), options.verbose, context);
}

/** Prints the run's name once its plan is accepted in the background; else what it said there, and its exit code is ours. */
async function goOnInBackground(command: string, stateDir: string, context: CommandContext): Promise<number> {
  const started = await startInBackground(command, stateDir, context);
  if (started.accepted) {
    say(context.stdout, started.run);
    say(context.stderr, `in the background; follow it with: imaging-runs attach ${started.run}`);
    return exitCodes.ok;
  }
  sayText(context.stderr, started.said);
  context.signal.throwIfAborted();
  return started.exitCode ?? exitCodes.someFailed;
}

/** Does a run, with its progress on standard error and its results on standard output; returns its exit code. */
async function showRun(
  plan: RunPlan,
  workflow: NodeWorkflow,
  mode: Exclude<ProgressMode, 'auto'>,
  verbose: boolean,
  context: CommandContext,
): Promise<number> {
  keepHeapSmall();
  const run = acceptPlan(plan, workflow, context);
  const controls = runControls('asks', run.path, () => process.kill(context.host.pid, 'SIGINT'));
  const monitor = await openMonitor(mode, context, run.state, verbose, undefined, controls);
  const silent = mode === 'json' || workflow.result === 'silent';
  const results = silent ? null : openResults(workflow.nodes, workflow.resultLines, workflow.patienceMs, context.stdout);
  try {
    return await run.execute({
      sink: monitor.sink,
      onOutcome: (outcome) => results?.add(outcome),
      onStart: (emit) => tellLosses(context.losses, mode !== 'json', emit),
      exitCodeOf: (end) => exitCodeOf(end, workflow, context),
    });
  } finally {
    await monitor.close();
    results?.close();
    const problems = run.close();
    // plain lines have shown warnings as they came
    const untold = mode === 'tty' || mode === 'quiet' ? [...run.state.warnings, ...problems] : problems;
    for (const text of workflow.result === 'silent' ? [] : untold) warn(context.stderr, text);
    if (!silent) printTable(workflow, run.state, run.path, context);
  }
}

/** As the process will end. */
function exitCodeOf({ outcomes, thrown, interrupted }: RunEnd, workflow: NodeWorkflow, { losses }: CommandContext): number {
  const earned = interrupted?.exitCode ?? (thrown ? exitCodeOfError(thrown.error) : exitCodeOfOutcomes(outcomes, workflow));
  return earned === exitCodes.ok && losses?.output ? exitCodes.environment : earned;
}

/** Whether a failure says that the run may not work on a node, which nobody has touched. */
function isRefusal({ step, code }: TargetFailure): boolean {
  return step === 'lock' && [pxeFail, leaseFail, workflowFail].some((fail) => fail.spec(code)?.refusal === true);
}

function exitCodeOfOutcomes(outcomes: readonly Outcome<unknown>[], { skipped, enough }: NodeWorkflow): number {
  const failures = outcomes.filter((outcome) => !outcome.ok);
  if (failures.some((outcome) => outcome.failure.code === 'bug')) return exitCodes.bug;
  if (failures.length > 0 && failures.every(({ failure }) => failure.code === 'environment')) return exitCodes.environment; // none of the nodes is at fault
  if (failures.length > 0 && failures.length === outcomes.length && failures.every(({ failure }) => isRefusal(failure)))
    return exitCodes.refused;
  if (enough !== undefined && enough !== null && outcomes.length - failures.length >= enough) return exitCodes.ok;
  return failures.length + skipped.length > 0 ? exitCodes.someFailed : exitCodes.ok;
}

function progressMode({ curses, progress, verbose }: SharedOptions, workflow: NodeWorkflow): ProgressMode {
  if (workflow.result === 'silent') return 'quiet';
  if (curses) return 'tty';
  return progress ?? (verbose ? 'plain' : workflow.progress);
}

/** The final table: a command's result, or beside result lines only what went wrong. `path`: the run's folder. */
function printTable(workflow: NodeWorkflow, state: RunState, path: string | null, context: CommandContext): void {
  const bad = targetsIn(state, 'failed').length + targetsIn(state, 'skipped').length > 0;
  if (workflow.result === 'lines' && !bad) return;
  const out = workflow.result === 'table' ? context.stdout : context.stderr;
  for (const line of renderSummary(state, workflow.fold)) say(out, line);
  if (workflow.result === 'table') for (const line of lostProgress(context.losses)) say(out, line);
  if (path === null || !bad) return;
  say(out, `logs: ${path}`);
  if (workflow.result === 'table') say(out, `once more for those that are not done: imaging-runs resume ${basename(path)}`);
}

function renderPlan(command: string, workflow: NodeWorkflow): string[] {
  const rows = Object.entries({ nodes: `${workflow.fold([...workflow.nodes])} (${workflow.nodes.length})`, ...workflow.details });
  const shown = rows.map(([name, value]) => `  ${name.padEnd(12)} ${typeof value === 'object' ? jsonText(value) : String(value)}`);
  return [`imaging-${command} would do this, and has touched nothing:`, ...shown, ...workflow.warnings.map((text) => `  warning: ${text}`)];
}
