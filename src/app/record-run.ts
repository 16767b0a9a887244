import type { EventSink } from '../events/bus.js';
import type { RunState } from '../events/reducer.js';
import { rotateHistory } from '../runs/history-rotation.js';
import { attemptOf, openHistory } from '../runs/history.js';
import { PLAN_SCHEMA, PLAN_VARIABLES, stampInputs, type RunPlan } from '../runs/plan-file.js';
import { resultOf } from '../runs/result-file.js';
import { pruneRuns } from '../runs/retention.js';
import { openRunFolder, type RunFolder } from '../runs/run-folder.js';
import type { StoredRun } from '../runs/store.js';
import { messageOf } from '../util/errors.js';
import { processIdentity, type Host } from '../util/host.js';
import type { AppContext } from './context.js';
import { putMetrics } from './metrics.js';
import type { NodeWorkflow } from './node-workflow.js';

/** What is kept of a run: its folder, a line of history for each node, metrics. */
export type Recording = {
  /** Null when it cannot be written, or nothing is kept of this command. */
  folder: RunFolder | null;
  /** After the reducer: it looks at the folded state. */
  sink: EventSink;
  /** The run has ended: journal, result, then what may be removed. Returns what did not work, one line each. */
  close(): string[];
};

export const nothingRecorded: Recording = { folder: null, sink: () => {}, close: () => [] };

/** What is to be known of a run before it begins; `from` is the run that it resumes, `detached` that it goes on in the background. */
export type RunToBe = { run: string; command: string; workflow: NodeWorkflow; version: string; from: StoredRun | null; detached: boolean };

/** The plan as it is kept. */
export function planRecord(
  { run, command, workflow, version, from, detached }: RunToBe,
  { host, argv }: Pick<AppContext, 'host' | 'argv'>,
): RunPlan {
  const env = PLAN_VARIABLES.flatMap((name) => (host.env[name] === undefined ? [] : [[name, host.env[name]] as const]));
  return {
    schema: PLAN_SCHEMA,
    run,
    command,
    argv: [...(from?.plan.argv ?? argv.slice(1))],
    cwd: host.cwd(),
    env: Object.fromEntries(env),
    kind: workflow.work.kind,
    targets: allNodes(workflow),
    details: workflow.details,
    inputs: stampInputs(workflow.inputs ?? []),
    login: host.login(),
    host: host.shortHostname(),
    process: processIdentity(host.pid),
    version,
    startedAt: host.now(),
    continues: from?.run ?? null,
    detached,
  };
}

/** The nodes of the selection, those that are left alone included. */
export function allNodes({ nodes, skipped }: NodeWorkflow): string[] {
  return [...nodes, ...skipped.map(({ node }) => node)];
}

/** Puts the plan on disk and opens the rest. */
export function recordRun(plan: RunPlan, workflow: NodeWorkflow, state: RunState, host: Host, warn: (text: string) => void): Recording {
  const folder = openRunFolder(workflow.stateDir, plan.run, warn, plan);
  const history = folder && tryOpenHistory(workflow.stateDir, warn);
  const recordAttempt: EventSink = (event) => {
    const attempt = event.type === 'target.done' || event.type === 'target.failed' ? attemptOf(state, event.target, event.at) : null;
    if (attempt) history?.add(attempt);
  };
  return {
    folder,
    sink: (event) => {
      folder?.journal(event);
      recordAttempt(event);
    },
    close: () => {
      history?.close();
      if (!folder) return []; // it has been said that nothing is kept
      const attempts: [what: string, work: () => void][] = [
        [`the result of this run is not kept`, () => folder.finish(resultOf(state))],
        [`old runs were not removed`, () => void pruneRuns(workflow.stateDir, workflow.retention, host.now())],
        [`the history of nodes was not put aside`, () => rotateHistory(workflow.stateDir, host.now(), host.pid)],
        [`runs.prometheus_file was not written`, () => putMetrics(workflow, host)],
      ];
      return attempts.flatMap(([what, work]) => failureOf(what, work));
    },
  };
}

function tryOpenHistory(dir: string, warn: (text: string) => void): ReturnType<typeof openHistory> | null {
  const incomplete = (error: unknown): void => warn(`how nodes fare in this run is not kept: ${messageOf(error)}`);
  try {
    return openHistory(dir, incomplete);
  } catch (error) {
    incomplete(error);
    return null;
  }
}

function failureOf(what: string, work: () => void): string[] {
  try {
    work();
    return [];
  } catch (error) {
    return [`${what}: ${messageOf(error)}`];
  }
}
