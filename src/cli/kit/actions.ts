import { nearestNames } from '../../util/nearest.js';
import { UserError } from '../../util/errors.js';
import { sayJson } from '../../util/say.js';
import type { Arguments, CommandContext } from './command.js';

/** One thing that a command with several does, named by the command's first word. */
export type Action = {
  /** Its words, for messages: `SOURCE IMAGE`. */
  words: string;
  minWords: number;
  maxWords: number;
  /** The options it takes. */
  options: readonly string[];
  run(args: Arguments, context: CommandContext): Promise<number>;
};

export type Actions = Readonly<Record<string, () => Promise<Action>>>;

/**
 * Runs the action that the first word names, with the words after it. Throws a usage UserError for an unknown action,
 * an option that is another action's, and too few or too many words.
 * @param command its full name, `imaging-image`
 * @param common options that every action takes
 */
export async function runAction(
  command: string,
  actions: Actions,
  common: readonly string[],
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  const [word, ...words] = args.words;
  const load = word === undefined || !Object.hasOwn(actions, word) ? undefined : actions[word];
  if (!load) {
    const near = nearestNames(word ?? '', Object.keys(actions), 1)[0];
    const hint = near === undefined ? `say one of ${Object.keys(actions).join(', ')}; see ${command} --help` : `did you mean ${near}?`;
    throw new UserError('usage', word === undefined ? 'no action given' : `unknown action ${JSON.stringify(word)}`, hint);
  }
  const action = await load();
  const options = [...action.options, ...common];
  const wrong = Object.keys(args.options).find((name) => args.options[name] !== undefined && !options.includes(name));
  if (wrong !== undefined)
    throw new UserError(
      'usage',
      `--${wrong} means nothing to ${word}`,
      options.length === 0
        ? `${command} ${word} takes no options`
        : `${command} ${word} takes ${options.map((name) => `--${name}`).join(', ')}`,
    );
  if (words.length < action.minWords || words.length > action.maxWords) {
    throw new UserError(
      'usage',
      `${word} takes ${action.words === '' ? 'nothing' : action.words}, not ${words.length === 0 ? 'nothing' : words.map((each) => JSON.stringify(each)).join(' ')}`,
      `usage: ${command} ${word} ${action.words}`.trimEnd(),
    );
  }
  return action.run({ ...args, words }, context);
}

/** One JSON document on standard output. */
export function writeJson(context: CommandContext, value: unknown): void {
  sayJson(context.stdout, value, 2);
}
