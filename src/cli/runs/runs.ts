import { runAction, type Action } from '../kit/actions.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import { openRunsSite, type RunsAction } from './action.js';

/** What `imaging-runs` can do, by its first word; `list` without one. */
const actions: Record<string, () => Promise<Action>> = {
  list: async () => onSite((await import('./list.js')).list),
  show: async () => onSite((await import('./show.js')).show),
  log: async () => onSite((await import('./log.js')).log),
  events: async () => onSite((await import('./replay.js')).events),
  replay: async () => onSite((await import('./replay.js')).replay),
  attach: async () => onSite((await import('./attach.js')).attach),
  resume: async () => onSite((await import('./resume.js')).resume),
  stats: async () => onSite((await import('./stats.js')).stats),
  release: async () => onSite((await import('./release.js')).release),
};

function onSite(action: RunsAction): Action {
  return { ...action, run: async (args, context) => action.run(args, context, await openRunsSite(context)) };
}

/** Looks at runs, follows and resumes them, and tells how healthy nodes are. */
export function run(args: Arguments, context: CommandContext): Promise<number> {
  return runAction('imaging-runs', actions, [], { ...args, words: args.words.length === 0 ? ['list'] : args.words }, context);
}
