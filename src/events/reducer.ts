import type { TargetFailure } from './outcome.js';
import type { TargetResult } from './results.js';
import type { ImagingEvent } from './types.js';
import type { DiskState, LeftBehind, StepFacts, TargetKind } from './work.js';

/** Where one target stands. */
export type TargetState = {
  name: string;
  phase: 'waiting' | 'active' | 'done' | 'failed' | 'skipped';
  step: string | null;
  /** What is to be known of its step. */
  facts: StepFacts | null;
  attempt: number;
  /** When its step began, milliseconds since 1970. */
  stepAt: number | null;
  doneBytes: number;
  totalBytes: number;
  disk: DiskState;
  /** The last thing worth telling about it. */
  note: string;
  failure: TargetFailure | null;
  /** What came of it, when it is done and there is something to tell. */
  result: TargetResult | null;
  /** What did not go as wished, though it is done. */
  remarks: string[];
  elapsedMs: number | null;
  /** How long it was in each step that it has left, all attempts together. */
  stepsMs: Record<string, number>;
};

/** Where a whole run stands: what the monitor draws, what the final table and the exit code are made of. */
export type RunState = {
  run: string;
  command: string;
  kind: TargetKind;
  steps: Map<string, StepFacts>;
  leftBehind: readonly LeftBehind[];
  details: Record<string, unknown>;
  startedAt: number | null;
  targets: Map<string, TargetState>;
  /** What is sent, all sessions together; group and port are the first one's. */
  server: { engine: string; group: string; port: number; rateBps: number; sentBlocks: number; repeatedBlocks: number } | null;
  /** The sessions by their port. */
  sessions: Map<number, { rateBps: number; sentBlocks: number; repeatedBlocks: number }>;
  warnings: string[];
  lastNote: string;
  /** How a signal ends it: what is being written may end first, or everything stops. */
  ending: 'finish' | 'stop' | null;
  /** Why the whole run could not be done. */
  error: { code: string; message: string; hint: string | null } | null;
  /** `at`: milliseconds since 1970. */
  finished: { at: number; exitCode: number; elapsedMs: number } | null;
};

export function emptyState(): RunState {
  return {
    run: '',
    command: '',
    kind: 'node',
    steps: new Map(),
    leftBehind: [],
    details: {},
    startedAt: null,
    targets: new Map(),
    server: null,
    sessions: new Map(),
    warnings: [],
    lastNote: '',
    ending: null,
    error: null,
    finished: null,
  };
}

function newTarget(name: string): TargetState {
  return {
    name,
    phase: 'waiting',
    step: null,
    facts: null,
    attempt: 0,
    doneBytes: 0,
    totalBytes: 0,
    disk: 'as-it-was',
    note: '',
    failure: null,
    result: null,
    remarks: [],
    elapsedMs: null,
    stepAt: null,
    stepsMs: {},
  };
}

/** Folds one event into the state, in place: a thousand targets make too many events for copies. */
export function applyEvent(state: RunState, event: ImagingEvent): RunState {
  switch (event.type) {
    case 'run.started':
      state.run = event.run;
      state.command = event.command;
      state.kind = event.kind;
      state.steps = new Map(event.steps.map((facts) => [facts.name, facts]));
      state.leftBehind = event.leftBehind;
      state.details = event.details;
      state.startedAt = event.at;
      for (const name of event.targets) state.targets.set(name, newTarget(name));
      break;
    case 'run.note':
      state.lastNote = event.text;
      break;
    case 'run.warning':
      state.warnings.push(event.text);
      break;
    case 'server.started':
      state.server ??= { engine: event.engine, group: event.group, port: event.port, rateBps: 0, sentBlocks: 0, repeatedBlocks: 0 };
      applySession(state, event.port, { rateBps: event.rateBps, sentBlocks: 0, repeatedBlocks: 0 });
      break;
    case 'server.rate':
    case 'server.stopped':
      applySession(state, event.port, event);
      break;
    case 'run.interrupted':
      state.ending = event.then;
      break;
    case 'run.failed':
      state.error = { code: event.code, message: event.message, hint: event.hint };
      break;
    case 'run.finished':
      state.finished = { at: event.at, exitCode: event.exitCode, elapsedMs: event.elapsedMs };
      break;
    case 'server.join':
    case 'server.leave':
    case 'server.progress':
      break; // for the journal
    default:
      applyTargetEvent(state, event);
  }
  return state;
}

/** Takes in what one session does now, and adds all of them up. */
function applySession(state: RunState, port: number, now: { rateBps?: number; sentBlocks: number; repeatedBlocks: number }): void {
  const before = state.sessions.get(port);
  state.sessions.set(port, {
    rateBps: now.rateBps ?? before?.rateBps ?? 0,
    sentBlocks: now.sentBlocks,
    repeatedBlocks: now.repeatedBlocks,
  });
  if (!state.server) return;
  const all = [...state.sessions.values()];
  const sum = (value: (session: (typeof all)[number]) => number): number => all.reduce((total, session) => total + value(session), 0);
  Object.assign(state.server, {
    rateBps: sum((one) => one.rateBps),
    sentBlocks: sum((one) => one.sentBlocks),
    repeatedBlocks: sum((one) => one.repeatedBlocks),
  });
}

type TargetEvent = Extract<ImagingEvent, { type: `target.${string}` }>;

function applyTargetEvent({ targets, steps }: RunState, event: TargetEvent): void {
  let target = targets.get(event.target);
  if (!target) targets.set(event.target, (target = newTarget(event.target)));
  if (target.phase === 'done' || target.phase === 'failed') return; // what a task says that was given up changes nothing
  switch (event.type) {
    case 'target.step':
      leaveStep(target, event.at);
      enterStep(target, event.step, steps);
      target.phase = 'active';
      target.stepAt = event.at;
      target.attempt = event.attempt;
      target.note = '';
      break;
    case 'target.note':
      target.note = event.text;
      break;
    case 'target.retry':
      target.note = event.reason;
      if (steps.get(event.step)?.disk === 'judged' && target.disk === 'written') target.disk = 'in-write'; // what was written is wrong
      break;
    case 'target.progress':
      target.doneBytes = event.doneBytes;
      target.totalBytes = event.totalBytes;
      break;
    case 'target.failed':
      leaveStep(target, event.at);
      target.phase = 'failed';
      target.step = event.step;
      target.facts = steps.get(event.step) ?? null;
      target.failure = failureOf(event);
      target.elapsedMs = event.elapsedMs;
      break;
    case 'target.done':
      leaveStep(target, event.at);
      target.phase = 'done';
      target.note = '';
      target.result = event.result;
      target.remarks = event.remarks ?? [];
      target.elapsedMs = event.elapsedMs;
      break;
    case 'target.skipped':
      target.phase = 'skipped';
      target.note = event.reason;
      break;
  }
}

function enterStep(target: TargetState, step: string, steps: RunState['steps']): void {
  target.step = step;
  target.facts = steps.get(step) ?? null;
  const disk = target.facts?.disk;
  if (disk === 'in-write') target.disk = 'in-write';
  else if (disk !== undefined && target.disk === 'in-write') target.disk = 'written';
}

function failureOf({ target, step, code, message, hint, blame }: Extract<TargetEvent, { type: 'target.failed' }>): TargetFailure {
  return { target, step, code, message, hint, blame };
}

function leaveStep(target: TargetState, at: number): void {
  if (target.step !== null && target.stepAt !== null)
    target.stepsMs[target.step] = (target.stepsMs[target.step] ?? 0) + Math.max(0, at - target.stepAt);
  target.stepAt = null;
}

/** The targets in a phase, in the order of the selection. */
export function targetsIn(state: RunState, phase: TargetState['phase']): string[] {
  return [...state.targets.values()].filter((target) => target.phase === phase).map(({ name }) => name);
}
