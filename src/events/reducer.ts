import type { NodeFailure, Step } from './outcome.js';
import type { ImagingEvent } from './types.js';

/** Where one node stands. */
export type NodeState = {
  node: string;
  phase: 'waiting' | 'active' | 'done' | 'failed' | 'skipped';
  step: Step | null;
  attempt: number;
  /** When its step began, milliseconds since 1970. */
  stepAt: number | null;
  doneBytes: number;
  totalBytes: number;
  /** What its disk is by now: not touched, overwritten in part (or wrongly), or all new. */
  disk: 'as-it-was' | 'in-write' | 'written';
  /** The last thing worth telling about it. */
  note: string;
  failure: NodeFailure | null;
  /** What did not go as wished, though it is done. */
  remarks: string[];
  elapsedMs: number | null;
  /** How long it was in each step that it has left, all attempts together. */
  stepsMs: Partial<Record<Step, number>>;
};

/** Where a whole run stands: what the monitor draws, what the final table and the exit code are made of. */
export type RunState = {
  run: string;
  command: string;
  details: Record<string, unknown>;
  startedAt: number | null;
  nodes: Map<string, NodeState>;
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
    details: {},
    startedAt: null,
    nodes: new Map(),
    server: null,
    sessions: new Map(),
    warnings: [],
    lastNote: '',
    ending: null,
    error: null,
    finished: null,
  };
}

function newNode(node: string): NodeState {
  return {
    node,
    phase: 'waiting',
    step: null,
    attempt: 0,
    doneBytes: 0,
    totalBytes: 0,
    disk: 'as-it-was',
    note: '',
    failure: null,
    remarks: [],
    elapsedMs: null,
    stepAt: null,
    stepsMs: {},
  };
}

/** Folds one event into the state, in place: a thousand nodes make too many events for copies. */
export function applyEvent(state: RunState, event: ImagingEvent): RunState {
  if ('node' in event && event.node !== null && event.type.startsWith('node.')) {
    let node = state.nodes.get(event.node);
    if (!node) state.nodes.set(event.node, (node = newNode(event.node)));
    applyNodeEvent(node, event);
    return state;
  }
  switch (event.type) {
    case 'run.started':
      state.run = event.run;
      state.command = event.command;
      state.details = event.details;
      state.startedAt = event.at;
      for (const node of event.nodes) state.nodes.set(node, newNode(node));
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
    default: // joins, leaves and the server's view of progress are for the journal
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

function applyNodeEvent(node: NodeState, event: ImagingEvent): void {
  if (node.phase === 'done' || node.phase === 'failed') return; // what a task says that was given up changes nothing
  if (event.type === 'node.step' || event.type === 'node.done' || event.type === 'node.failed') leaveStep(node, event.at);
  switch (event.type) {
    case 'node.step':
      node.phase = 'active';
      node.stepAt = event.at;
      node.step = event.step;
      node.attempt = event.attempt;
      if (event.step === 'write') node.disk = 'in-write';
      else if (node.disk === 'in-write' && (event.step === 'verify' || event.step === 'reboot')) node.disk = 'written';
      node.note = '';
      break;
    case 'node.note':
      node.note = event.text;
      break;
    case 'node.retry':
      node.note = event.reason;
      if (event.step === 'verify' && node.disk === 'written') node.disk = 'in-write'; // what was written is wrong
      break;
    case 'node.progress':
      node.doneBytes = event.doneBytes;
      node.totalBytes = event.totalBytes;
      break;
    case 'node.failed':
      node.phase = 'failed';
      node.step = event.step;
      node.failure = failureIn(event);
      node.elapsedMs = event.elapsedMs;
      break;
    case 'node.done':
      node.phase = 'done';
      node.note = event.detail ?? '';
      node.remarks = event.remarks ?? [];
      node.elapsedMs = event.elapsedMs;
      break;
    case 'node.skipped':
      node.phase = 'skipped';
      node.note = event.reason;
      break;
    default:
  }
}

function failureIn({ node, step, code, message, hint, blame }: NodeFailure): NodeFailure {
  return { node, step, code, message, hint, ...(blame === undefined ? {} : { blame }) };
}

function leaveStep(node: NodeState, at: number): void {
  if (node.step !== null && node.stepAt !== null) node.stepsMs[node.step] = (node.stepsMs[node.step] ?? 0) + Math.max(0, at - node.stepAt);
  node.stepAt = null;
}

/** The nodes in a phase, in the order of the selection. */
export function nodesIn(state: RunState, phase: NodeState['phase']): string[] {
  return [...state.nodes.values()].filter((node) => node.phase === phase).map((node) => node.node);
}
