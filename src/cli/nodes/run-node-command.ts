import { basename } from 'node:path';
import { createBus } from '../../events/bus.js';
import type { Outcome } from '../../events/outcome.js';
import { applyEvent, emptyState, targetsIn, type RunState } from '../../events/reducer.js';
import { EVENT_SCHEMA, type Emit } from '../../events/types.js';
import type { Monitor } from '../../monitor/contract.js';
import { openMonitor, resolveMode, progressModes, type ProgressMode } from '../../monitor/monitor.js';
import { renderSummary } from '../../monitor/summary.js';
import { eventText } from '../../monitor/text.js';
import { openLogFile, type LogFile } from '../../runs/log-file.js';
import { changedInputs, type RunPlan } from '../../runs/plan-file.js';
import { newRunId, type RunFolder } from '../../runs/run-folder.js';
import type { StoredRun } from '../../runs/store.js';
import { Failure, messageOf, UserError } from '../../util/errors.js';
import { jsonText } from '../../util/json.js';
import { say, sayJson, warn } from '../../util/say.js';
import { UndoStack } from '../../util/undo.js';
import { Interrupted } from '../../engine/interrupted.js';
import type { Arguments, Command, CommandContext, NodeCommandModule } from '../kit/command.js';
import { runControls } from '../../app/controls.js';
import { acceptRun, backgroundRun, startInBackground } from '../../app/detach.js';
import { exitCodeOfError, exitCodes } from '../kit/exit.js';
import { hearInterrupts } from '../kit/interruption.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { flag, text } from '../kit/options.js';
import { allNodes, nothingRecorded, planRecord, recordRun, type Recording } from '../../app/record-run.js';
import { openResults, type ResultPrinter } from '../kit/results.js';
import { lostProgress, tellLosses } from '../kit/tell-losses.js';
import { version } from '../../app/version.js';

/** A run that is done again, for the nodes that it did not get done. `force`: although what it reads has changed. */
export type Resumed = { from: StoredRun; force: boolean };

/** Everything that commands on nodes have in common: monitor, journal, log, undoing, final table, exit code. */
export async function runNodeCommand(
  command: Command,
  module: NodeCommandModule,
  args: Arguments,
  context: CommandContext,
  resumed: Resumed | null = null,
): Promise<number> {
  const workflow = await module.plan(args, context);
  const mode = progressMode(args, workflow);
  if (workflow.dryRun) {
    await workflow.abandon?.();
    if (mode === 'json') sayJson(context.stdout, planOf(command, workflow));
    else say(context.stdout, ...renderPlan(command, workflow));
    return exitCodes.ok;
  }
  const background = backgroundRun(context.host);
  const plan = planRecord(
    background ?? newRunId(command.name, context.host),
    command.name,
    workflow,
    context,
    version(),
    resumed?.from ?? null,
    background !== null,
  );
  if (resumed && !resumed.force) refuseChanged(resumed.from, plan);
  if (flag(args.options, 'detach') && background === null) {
    await workflow.abandon?.();
    return startInBackground(command.name, workflow.stateDir, context);
  }
  return runPlan(plan, workflow, resolveMode(mode, context.stderr, context.host.env), flag(args.options, 'verbose'), context);
}

async function runPlan(
  plan: RunPlan,
  workflow: NodeWorkflow,
  mode: Exclude<ProgressMode, 'auto'>,
  verbose: boolean,
  context: CommandContext,
): Promise<number> {
  const state = emptyState();
  const warnings = createWarnings(workflow.warnings);
  const recording = workflow.keepsLogs ? recordRun(plan, workflow, state, context, warnings.add) : nothingRecorded;
  acceptRun();
  const controls = runControls('asks', recording.folder?.path ?? null, () => process.kill(context.host.pid, 'SIGINT'));
  const monitor = await openMonitor(mode, context, state, verbose, undefined, controls);
  const log = openLogFile(context.host, warnings.add);
  const silent = mode === 'json' || workflow.result === 'silent';
  const results = silent ? null : openResults(workflow.nodes, workflow.resultLines, workflow.patienceMs, context.stdout);
  try {
    return await execute(plan, workflow, context, { state, monitor, log, recording, warnings, results, showsWarnings: mode !== 'json' });
  } finally {
    await monitor.close();
    results?.close();
    const problems = recording.close();
    // plain lines have shown warnings as they came
    const untold = mode === 'tty' || mode === 'quiet' ? [...state.warnings, ...problems] : problems;
    for (const text of workflow.result === 'silent' ? [] : untold) warn(context.stderr, text);
    if (!silent) printTable(workflow, state, recording.folder, context);
    log?.close();
  }
}

function refuseChanged(from: StoredRun, plan: RunPlan): void {
  const changed = changedInputs(from.plan.inputs, plan.inputs);
  if (changed.length === 0) return;
  throw new UserError(
    'refused',
    `what run ${from.run} read has changed since: ${changed.join('; ')}`,
    'nodes that are done have the old one: load all of them again, or resume with --force',
  );
}

type Around = {
  state: RunState;
  monitor: Monitor;
  log: LogFile | null;
  recording: Recording;
  warnings: Warnings;
  results: ResultPrinter | null /** Whether warnings are shown on standard error, at once or after the run. */;
  showsWarnings: boolean;
};

/** Warnings from before the run has a voice wait for it. */
type Warnings = { add: (text: string) => void; tell: (emit: Emit) => void };

function createWarnings(first: readonly string[]): Warnings {
  const waiting = [...first];
  let emit: Emit | null = null;
  return {
    add: (text) => (emit ? emit({ type: 'run.warning', text }) : void waiting.push(text)),
    tell: (voice) => {
      emit = voice;
      for (const text of waiting.splice(0)) emit({ type: 'run.warning', text });
    },
  };
}

/** Does the work, undoes what must be undone, and returns the exit code; throws what kept the work from being done at all. */
async function execute({ run, command }: RunPlan, workflow: NodeWorkflow, context: CommandContext, around: Around): Promise<number> {
  const { state, log, recording } = around;
  const emit = createBus(run, context.host, [
    (event) => applyEvent(state, event),
    recording.sink,
    (event) => {
      const line = eventText(event);
      if (line !== null) log?.write(event.at, run, line);
    },
    around.monitor.sink,
  ]);
  const startedMs = context.host.monotonicMs();
  emit({ type: 'run.started', schema: EVENT_SCHEMA, command, ...workflow.work, targets: allNodes(workflow), details: workflow.details });
  around.warnings.tell(emit);
  const interruption = hearInterrupts(workflow, context, emit);
  const endTelling = tellLosses(context.losses, around.showsWarnings, emit);
  for (const { node, reason } of workflow.skipped) emit({ type: 'target.skipped', target: node, reason });
  const undo = new UndoStack();
  const tools = {
    run,
    host: context.host,
    emit,
    signal: context.signal,
    finishing: interruption.finishing,
    undo,
    transcript: recording.folder?.transcript ?? (() => () => {}),
    onOutcome: (outcome: Outcome<unknown>) => around.results?.add(outcome),
  };
  let thrown: { error: unknown } | null = null;
  let outcomes: Outcome<unknown>[] = [];
  try {
    outcomes = await workflow.execute(tools);
  } catch (error) {
    thrown = { error };
    const { code, hint } = describeError(error);
    emit({ type: 'run.failed', code, message: messageOf(error), hint });
  }
  for (const problem of await undo.run()) emit({ type: 'run.warning', text: problem });
  for (const target of [...targetsIn(state, 'waiting'), ...targetsIn(state, 'active')])
    emit({ type: 'target.skipped', target, reason: 'the run ended before its turn' });
  const interrupted = interruption.reason();
  interruption.close();
  endTelling();
  const earned = interrupted?.exitCode ?? (thrown ? exitCodeOfError(thrown.error) : exitCodeOfOutcomes(outcomes, workflow));
  const exitCode = earned === exitCodes.ok && context.losses?.output ? exitCodes.environment : earned; // as the process will end
  emit({
    type: 'run.finished',
    ok: targetsIn(state, 'done'),
    failed: targetsIn(state, 'failed'),
    skipped: targetsIn(state, 'skipped'),
    exitCode,
    elapsedMs: Math.round(context.host.monotonicMs() - startedMs),
  });
  if (thrown && !interrupted) throw thrown.error;
  return exitCode;
}

function describeError(error: unknown): { code: string; hint: string | null } {
  if (error instanceof UserError) return { code: error.kind, hint: error.hint ?? null };
  if (error instanceof Failure) return { code: error.code, hint: error.hint ?? null };
  return { code: error instanceof Interrupted ? 'interrupted' : 'bug', hint: null };
}

/** Failures that say the run may not work on a node, which nobody has touched. */
const REFUSALS: ReadonlySet<string> = new Set(['node-busy', 'no-lease', 'lease-unknown', 'disk-half-written', 'disk-unverified']);

function exitCodeOfOutcomes(outcomes: readonly Outcome<unknown>[], { skipped, enough }: NodeWorkflow): number {
  const failures = outcomes.filter((outcome) => !outcome.ok);
  if (failures.some((outcome) => outcome.failure.code === 'bug')) return exitCodes.bug;
  if (failures.length > 0 && failures.every(({ failure }) => failure.code === 'environment')) return exitCodes.environment; // none of the nodes is at fault
  if (
    failures.length > 0 &&
    failures.length === outcomes.length &&
    failures.every(({ failure }) => failure.step === 'lock' && REFUSALS.has(failure.code))
  )
    return exitCodes.refused;
  if (enough !== undefined && enough !== null && outcomes.length - failures.length >= enough) return exitCodes.ok;
  return failures.length + skipped.length > 0 ? exitCodes.someFailed : exitCodes.ok;
}

function progressMode(args: Arguments, workflow: NodeWorkflow): ProgressMode {
  if (workflow.result === 'silent') return 'quiet';
  if (flag(args.options, 'curses')) return 'tty';
  const asked = text(args.options, 'progress');
  return progressModes.find((mode) => mode === asked) ?? (flag(args.options, 'verbose') ? 'plain' : workflow.progress);
}

/** The final table: a command's result, or beside result lines only what went wrong. */
function printTable(workflow: NodeWorkflow, state: RunState, folder: RunFolder | null, context: CommandContext): void {
  const bad = targetsIn(state, 'failed').length + targetsIn(state, 'skipped').length > 0;
  if (workflow.result === 'lines' && !bad) return;
  const out = workflow.result === 'table' ? context.stdout : context.stderr;
  for (const line of renderSummary(state, workflow.fold)) say(out, line);
  if (workflow.result === 'table') for (const line of lostProgress(context.losses)) say(out, line);
  if (!folder || !bad) return;
  say(out, `logs: ${folder.path}`);
  if (workflow.result === 'table') say(out, `once more for those that are not done: imaging-runs resume ${basename(folder.path)}`);
}

function planOf(command: Command, workflow: NodeWorkflow) {
  return { command: command.name, nodes: workflow.nodes, ...workflow.details };
}

function renderPlan(command: Command, workflow: NodeWorkflow): string[] {
  const rows = Object.entries({ nodes: `${workflow.fold([...workflow.nodes])} (${workflow.nodes.length})`, ...workflow.details });
  const shown = rows.map(([name, value]) => `  ${name.padEnd(12)} ${typeof value === 'object' ? jsonText(value) : String(value)}`);
  return [
    `imaging-${command.name} would do this, and has touched nothing:`,
    ...shown,
    ...workflow.warnings.map((text) => `  warning: ${text}`),
  ];
}
