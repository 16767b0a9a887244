import { UserError } from '../../util/errors.js';
import { nearestNames } from '../../images/nearest.js';
import type { Arguments, CommandContext } from '../command.js';
import type { ImageAction } from '../image/action.js';

/** What `imaging-image` can do, by its first word. */
const actions: Record<string, () => Promise<ImageAction>> = {
  zip: async () => (await import('../image/zip.js')).zip,
  unzip: async () => (await import('../image/unzip.js')).unzip,
  info: async () => (await import('../image/info.js')).info,
  verify: async () => (await import('../image/verify.js')).verify,
  diff: async () => (await import('../image/diff.js')).diff,
};

/** Works on image files: makes, writes, describes, checks and compares them. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const [word, ...words] = args.words;
  const load = word === undefined || !Object.hasOwn(actions, word) ? undefined : actions[word];
  if (!load) {
    const near = nearestNames(word ?? '', Object.keys(actions), 1)[0];
    const hint = near === undefined ? `say one of ${Object.keys(actions).join(', ')}; see imaging-image --help` : `did you mean ${near}?`;
    throw new UserError('usage', word === undefined ? 'no action given' : `unknown action ${JSON.stringify(word)}`, hint);
  }
  const action = await load();
  if (words.includes('-') && !action.options.includes('force')) {
    throw new UserError('usage', `${word} reads images here and there, which a pipe does not allow`, 'give the path of a file; - is for zip and unzip');
  }
  const wrong = Object.keys(args.options).find((name) => args.options[name] !== undefined && !['json', 'quiet'].includes(name) && !action.options.includes(name));
  if (wrong !== undefined) throw new UserError('usage', `--${wrong} means nothing to ${word}`, `imaging-image ${word} takes ${[...action.options, 'json', 'quiet'].map((name) => `--${name}`).join(', ')}`);
  if (words.length < action.minWords || words.length > action.maxWords) {
    throw new UserError('usage', `${word} takes ${action.words}, not ${words.length === 0 ? 'nothing' : words.map((each) => JSON.stringify(each)).join(' ')}`, `usage: imaging-image ${word} ${action.words}`);
  }
  return action.run({ ...args, words }, context);
}
