import { nearest } from '../../config/nearest.js';
import { UserError } from '../../util/errors.js';
import type { Arguments, CommandContext } from '../command.js';
import { openRunsSite, type RunsAction } from '../runs/action.js';

/** What `imaging-runs` can do, by its first word; `list` without one. */
const actions: Record<string, () => Promise<RunsAction>> = {
  list: async () => (await import('../runs/list.js')).list,
  show: async () => (await import('../runs/show.js')).show,
  log: async () => (await import('../runs/log.js')).log,
  events: async () => (await import('../runs/replay.js')).events,
  replay: async () => (await import('../runs/replay.js')).replay,
  attach: async () => (await import('../runs/attach.js')).attach,
  resume: async () => (await import('../runs/resume.js')).resume,
  stats: async () => (await import('../runs/stats.js')).stats,
  release: async () => (await import('../runs/release.js')).release,
};

/** Looks at runs, follows and resumes them, and tells how healthy nodes are. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const [word = 'list', ...words] = args.words;
  const load = Object.hasOwn(actions, word) ? actions[word] : undefined;
  if (!load) {
    const near = nearest(word, Object.keys(actions));
    throw new UserError('usage', `unknown action ${JSON.stringify(word)}`, near === null ? `say one of ${Object.keys(actions).join(', ')}; see imaging-runs --help` : `did you mean ${near}?`);
  }
  const action = await load();
  const wrong = Object.keys(args.options).find((name) => args.options[name] !== undefined && !action.options.includes(name));
  if (wrong !== undefined) throw new UserError('usage', `--${wrong} means nothing to ${word}`, action.options.length === 0 ? `imaging-runs ${word} takes no options` : `imaging-runs ${word} takes ${action.options.map((name) => `--${name}`).join(', ')}`);
  if (words.length < action.minWords || words.length > action.maxWords) {
    throw new UserError('usage', `${word} takes ${action.words === '' ? 'nothing' : action.words}, not ${words.length === 0 ? 'nothing' : words.map((each) => JSON.stringify(each)).join(' ')}`, `usage: imaging-runs ${word} ${action.words}`.trimEnd());
  }
  return action.run({ ...args, words }, context, await openRunsSite(context));
}
