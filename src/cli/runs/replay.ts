import { applyEvent, emptyState } from '../../events/reducer.js';
import { openMonitor, resolveMode } from '../../monitor/monitor.js';
import { readJournal } from '../../runs/journal.js';
import { findRun, type StoredRun } from '../../runs/store.js';
import { childSignal, sleep } from '../../util/abort.js';
import { UserError } from '../../util/errors.js';
import { say, sayJson } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { OptionsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { runControls } from '../kit/run-controls.js';
import { runsAction } from './action.js';
import { PersonLeft } from '../kit/person-left.js';
import type { nodeOptions } from '../nodes/options.js';
import { summaryOf } from './show.js';

/** The events of a run as JSON lines. */
export const events = runsAction({
  words: '[RUN]',
  minWords: 0,
  maxWords: 1,
  options: [],
  run: async ({ words }, context, { dir }) => {
    for (const event of readJournal(findRun(dir, words[0] ?? 'last').path)) sayJson(context.stdout, event);
    return exitCodes.ok;
  },
});

/** Shows a run once more, as it went. */
export const replay = runsAction({
  words: '[RUN]',
  minWords: 0,
  maxWords: 1,
  options: ['speed', 'progress', 'curses', 'verbose'],
  run: async ({ words, options }, context, { dir }) => {
    const mode = monitorMode(options, context);
    const speed = options.speed ?? (mode === 'tty' ? 1 : Infinity);
    await play(findRun(dir, words[0] ?? 'last'), speed, mode, options.verbose, context);
    return exitCodes.ok;
  },
});

/** How a run is shown: as the options of every command on nodes say. */
export function monitorMode(
  { progress, curses, verbose }: Pick<OptionsOf<typeof nodeOptions>, 'progress' | 'curses' | 'verbose'>,
  context: CommandContext,
): ReturnType<typeof resolveMode> {
  const mode = progress ?? (curses ? 'tty' : verbose ? 'plain' : 'auto');
  return resolveMode(mode, context.stderr, context.host.env);
}

async function play(
  run: StoredRun,
  speed: number,
  mode: ReturnType<typeof resolveMode>,
  verbose: boolean,
  context: CommandContext,
): Promise<void> {
  const state = emptyState();
  const { host } = context;
  const leaving = childSignal(context.signal);
  let first: number | null = null;
  let last = 0;
  const startedMs = host.monotonicMs();
  // the clock of the run that is shown, which goes `speed` times as fast as ours
  const now = (): number => (Number.isFinite(speed) ? (first ?? 0) + (host.monotonicMs() - startedMs) * speed : last);
  const monitor = await openMonitor(
    mode,
    context,
    state,
    verbose,
    now,
    runControls('at-once', run.path, () => leaving.abort(new PersonLeft())),
  );
  try {
    for (const event of readJournal(run.path)) {
      first ??= event.at;
      last = event.at;
      const waitMs = Number.isFinite(speed) ? (event.at - now()) / speed : 0;
      if (waitMs > 1) await sleep(waitMs, leaving.signal);
      leaving.signal.throwIfAborted();
      applyEvent(state, event);
      monitor.sink(event);
    }
    if (first === null) throw new UserError('usage', `run ${run.run} has no events`, 'it was killed before its first one');
  } catch (error) {
    if (!(error instanceof PersonLeft)) throw error;
  } finally {
    await monitor.close();
    leaving.release();
  }
  if (mode !== 'json') for (const line of summaryOf(run, state)) say(context.stdout, line);
}
