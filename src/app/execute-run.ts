import { createBus, type EventSink } from '../events/bus.js';
import type { Outcome } from '../events/outcome.js';
import { applyEvent, emptyState, targetsIn, type RunState } from '../events/reducer.js';
import { EVENT_SCHEMA, type Emit } from '../events/types.js';
import { eventText } from '../monitor/text.js';
import { openLogFile, type LogFile } from '../runs/log-file.js';
import { changedInputs, type RunPlan } from '../runs/plan-file.js';
import type { StoredRun } from '../runs/store.js';
import { Failure, messageOf, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { UndoStack } from '../util/undo.js';
import { Interrupted } from '../engine/interrupted.js';
import type { AppContext } from './context.js';
import { acceptRun } from './detach.js';
import { hearInterrupts } from './interruption.js';
import type { NodeWorkflow, WorkflowTools } from './node-workflow.js';
import { allNodes, nothingRecorded, recordRun, type Recording } from './record-run.js';

/** How a run ended: what came of its nodes, what kept it from being done at all, and the signal that ended it. */
export type RunEnd = { outcomes: readonly Outcome<unknown>[]; thrown: { error: unknown } | null; interrupted: Interrupted | null };

/** What whoever asked for a run does with it. */
export type RunFace = {
  /** Gets each event, after it is folded and kept. */
  sink: EventSink;
  onOutcome: WorkflowTools['onOutcome'];
  /** Called as soon as the run has a voice; returns how to end what it began. */
  onStart(emit: Emit): () => void;
  /** The exit code that the end earns: part of the last event. */
  exitCodeOf(end: RunEnd): number;
};

/** A run whose plan is kept, and that has not begun. */
export type AcceptedRun = {
  readonly state: RunState;
  /** Its folder, or null when nothing is kept. */
  readonly path: string | null;
  /** Does the work, undoes what must be undone, and returns the exit code; throws what kept the work from being done at all. */
  execute(face: RunFace): Promise<number>;
  /** Ends the recording. Returns what did not work, one line each. */
  close(): string[];
};

/** Keeps the plan, and tells a command that waits for it in front that this is done. */
export function acceptPlan(plan: RunPlan, workflow: NodeWorkflow, context: AppContext): AcceptedRun {
  const state = emptyState();
  const warnings = createWarnings(workflow.warnings);
  const recording = workflow.keepsLogs ? recordRun(plan, workflow, state, context.host, warnings.add) : nothingRecorded;
  acceptRun(context.host);
  const log = openLogFile(context.host, warnings.add);
  return {
    state,
    path: recording.folder?.path ?? null,
    execute: (face) => execute(plan, workflow, { state, log, recording, warnings, face }, context),
    close: () => {
      log?.close();
      return recording.close();
    },
  };
}

/**
 * Refuses to do a run again when what it reads is not what it was.
 *
 * @throws UserError `refused`
 */
export function refuseChanged(from: StoredRun, plan: RunPlan): void {
  const changed = changedInputs(from.plan.inputs, plan.inputs);
  if (changed.length === 0) return;
  throw new UserError(
    'refused',
    `what run ${from.run} read has changed since: ${changed.join('; ')}`,
    'nodes that are done have the old one: load all of them again, or resume with --force',
  );
}

type Keeping = { state: RunState; log: LogFile | null; recording: Recording; warnings: Warnings; face: RunFace };

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

/** Each event is folded, kept and logged before the face gets it. */
function openBus(run: string, { state, log, recording, face }: Keeping, host: Host): Emit {
  return createBus(run, host, [
    (event) => applyEvent(state, event),
    recording.sink,
    (event) => {
      const line = eventText(event);
      if (line !== null) log?.write(event.at, run, line);
    },
    face.sink,
  ]);
}

async function execute({ run, command }: RunPlan, workflow: NodeWorkflow, keeping: Keeping, context: AppContext): Promise<number> {
  const { state, recording, face } = keeping;
  const emit = openBus(run, keeping, context.host);
  const startedMs = context.host.monotonicMs();
  emit({ type: 'run.started', schema: EVENT_SCHEMA, command, ...workflow.work, targets: allNodes(workflow), details: workflow.details });
  keeping.warnings.tell(emit);
  const interruption = hearInterrupts(workflow, context, emit);
  const endTelling = face.onStart(emit);
  for (const { node, reason } of workflow.skipped) emit({ type: 'target.skipped', target: node, reason });
  const undo = new UndoStack();
  const { outcomes, thrown } = await attempt(workflow, {
    run,
    host: context.host,
    emit,
    signal: context.signal,
    finishing: interruption.finishing,
    undo,
    transcript: recording.folder?.transcript ?? (() => () => {}),
    onOutcome: (outcome) => face.onOutcome(outcome),
  });
  for (const problem of await undo.run()) emit({ type: 'run.warning', text: problem });
  for (const target of [...targetsIn(state, 'waiting'), ...targetsIn(state, 'active')])
    emit({ type: 'target.skipped', target, reason: 'the run ended before its turn' });
  const interrupted = interruption.reason();
  interruption.close();
  endTelling();
  const exitCode = face.exitCodeOf({ outcomes, thrown, interrupted });
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

/** Does the work; what keeps it from being done at all is told, and part of what comes back. */
async function attempt(workflow: NodeWorkflow, tools: WorkflowTools): Promise<Pick<RunEnd, 'outcomes' | 'thrown'>> {
  try {
    return { outcomes: await workflow.execute(tools), thrown: null };
  } catch (error) {
    const { code, hint } = describeError(error);
    tools.emit({ type: 'run.failed', code, message: messageOf(error), hint });
    return { outcomes: [], thrown: { error } };
  }
}

function describeError(error: unknown): { code: string; hint: string | null } {
  if (error instanceof UserError) return { code: error.kind, hint: error.hint ?? null };
  if (error instanceof Failure) return { code: error.code, hint: error.hint ?? null };
  return { code: error instanceof Interrupted ? 'interrupted' : 'bug', hint: null };
}
