import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { applyEvent, emptyState, type RunState } from '../../events/reducer.js';
import type { Monitor } from '../../monitor/contract.js';
import { openMonitor } from '../../monitor/monitor.js';
import { JournalReader } from '../../runs/journal.js';
import { findRun, openRun, type StoredRun } from '../../runs/store.js';
import { childSignal, reasonOf } from '../../util/abort.js';
import { say } from '../../util/say.js';
import { exitCodes } from '../kit/exit.js';
import type { CommandContext } from '../kit/command.js';
import { runControls } from '../kit/run-controls.js';
import { runsAction } from './action.js';
import { PersonLeft } from '../kit/person-left.js';
import { monitorMode } from './replay.js';
import { summaryOf } from './show.js';

/** How often we look whether the run's process lives, and whether a change went by unseen, as on network file systems. */
const LOOK_MS = 500;

/** Follows a run as if it had been started here; ends with its exit code. Going away leaves it alone. */
export const attach = runsAction({
  words: '[RUN]',
  minWords: 0,
  maxWords: 1,
  options: ['progress', 'curses', 'verbose'],
  run: async ({ words, options }, context, { dir }) => {
    const run = findRun(dir, words[0] ?? 'last');
    const mode = monitorMode(options, context);
    const state = emptyState();
    const leaving = childSignal(context.signal);
    if (mode === 'tty') say(context.stderr, `following run ${run.run}; q leaves it alone`);
    const controls = runControls('at-once', run.path, () => leaving.abort(new PersonLeft()));
    const monitor = await openMonitor(mode, context, state, options.verbose, undefined, controls);
    try {
      await follow(run, state, monitor, leaving.signal);
    } catch (error) {
      if (!(error instanceof PersonLeft)) throw error;
      say(context.stderr, `run ${run.run} goes on`);
      return exitCodes.ok;
    } finally {
      await monitor.close();
      leaving.release();
    }
    return tell(openRun(dir, run.run) ?? run, state, mode === 'json', context);
  },
});

function tell(run: StoredRun, state: RunState, json: boolean, context: CommandContext): number {
  if (!json) for (const line of summaryOf(run, state)) say(context.stdout, line);
  return state.finished?.exitCode ?? exitCodes.someFailed;
}

/** Feeds the events to the monitor until the run has ended, or its process is gone. Rejects with the signal's reason. */
async function follow(run: StoredRun, state: RunState, monitor: Monitor, signal: AbortSignal): Promise<void> {
  let journal: JournalReader | null = null;
  try {
    while (state.finished === null) {
      signal.throwIfAborted();
      const standing = openRun(join(run.path, '../..'), run.run)?.standing ?? 'died'; // before reading: what a run that is gone has written is all there by then
      const changed = nextChange(run.path, signal);
      journal ??= existsSync(join(run.path, 'events.jsonl')) ? new JournalReader(run.path) : null;
      for (const event of journal?.more() ?? []) {
        applyEvent(state, event);
        monitor.sink(event);
      }
      if (state.finished !== null || standing !== 'running') return changed.close();
      await changed.happened;
    }
  } finally {
    journal?.close();
  }
}

/** Resolves at the next change in a folder, and after a while in any case. */
function nextChange(folder: string, signal: AbortSignal): { happened: Promise<void>; close(): void } {
  let wake = (): void => {};
  const happened = new Promise<void>((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', onAbort);
    };
    wake = () => {
      done();
      resolve();
    };
    const onAbort = (): void => {
      done();
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => wake(), LOOK_MS);
    const watcher = tryWatch(folder, () => wake());
    signal.addEventListener('abort', onAbort, { once: true });
  });
  happened.catch(() => {}); // nobody waits for it when the run has ended
  return { happened, close: () => wake() };
}

/** Null where the system has no more watches to give: then the timer alone looks. */
function tryWatch(folder: string, onChange: () => void): ReturnType<typeof watch> | null {
  try {
    const watcher = watch(folder, onChange);
    watcher.on('error', onChange);
    return watcher;
  } catch {
    return null;
  }
}
