import { runAction, type Actions } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { runsSpec } from './runs.spec.js';

/** What `imaging-runs` can do, by its first word; `list` without one. */
const actions: Actions = {
  list: async () => (await import('./list.js')).list,
  show: async () => (await import('./show.js')).show,
  log: async () => (await import('./log.js')).log,
  events: async () => (await import('./replay.js')).events,
  replay: async () => (await import('./replay.js')).replay,
  attach: async () => (await import('./attach.js')).attach,
  resume: async () => (await import('./resume.js')).resume,
  stats: async () => (await import('./stats.js')).stats,
  release: async () => (await import('./release.js')).release,
};

/** Looks at runs, follows and resumes them, and tells how healthy nodes are. */
export function run(args: ArgumentsOf<typeof runsSpec>, context: CommandContext): Promise<number> {
  return runAction('imaging-runs', actions, { ...args, words: args.words.length === 0 ? ['list'] : args.words }, context);
}
