import type { EventSink } from '../events/bus.js';
import type { RunState } from '../events/reducer.js';
import { messageOf, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { believedHealth } from './health.js';
import { rotateHistory } from './history-rotation.js';
import { attemptOf, openHistory } from './history.js';
import type { RunPlan } from './plan-file.js';
import { putMetrics, type MetricsPlace } from './prometheus.js';
import { resultOf } from './result-file.js';
import { pruneRuns, type Retention } from './retention.js';
import { openRunFolder, type RunFolder } from './run-folder.js';

/** Where and how long what is kept of runs is kept. */
export type Kept = MetricsPlace & { retention: Retention };

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

/** Puts the plan on disk and opens the rest. */
export function recordRun(plan: RunPlan, kept: Kept, state: RunState, host: Host, warn: (text: string) => void): Recording {
  const folder = openRunFolder(kept.stateDir, plan.run, warn, plan);
  const history = folder && tryOpenHistory(kept.stateDir, warn);
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
        [`old runs were not removed`, () => void pruneRuns(kept.stateDir, kept.retention, host.now())],
        [`the history of nodes was not put aside`, () => rotateHistory(kept.stateDir, host.now(), host.pid)],
        [`runs.prometheus_file was not written`, () => putMetrics(kept, host)],
      ];
      return attempts.flatMap(([what, work]) => failureOf(what, work));
    },
  };
}

/**
 * Lets nodes out of quarantine: their failures so far count no more towards it. Returns those that had some.
 *
 * @throws UserError `environment` when it cannot be recorded
 */
export function recordRelease(nodes: readonly string[], kept: MetricsPlace, host: Pick<Host, 'now' | 'login'>): string[] {
  const failing = new Set(
    believedHealth(kept.stateDir, kept.quarantineAfter).flatMap(({ node, failedInARow }) => (failedInARow > 0 ? [node] : [])),
  );
  const released = nodes.filter((node) => failing.has(node));
  if (released.length === 0) return [];
  const cannot = (cause: unknown): UserError =>
    new UserError('environment', `the release cannot be recorded in ${kept.stateDir}: ${messageOf(cause)}`, 'see runs.dir', { cause });
  let problem: UserError | null = null;
  try {
    const history = openHistory(kept.stateDir, (error) => (problem = cannot(error)));
    for (const node of released) history.add({ at: host.now(), node, released: true, by: host.login() });
    history.close();
  } catch (error) {
    throw cannot(error);
  }
  if (problem !== null) throw problem;
  putMetrics(kept, host);
  return released;
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
