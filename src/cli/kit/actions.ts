import { nearestNames } from '../../util/nearest.js';
import { UserError } from '../../util/errors.js';
import { sayJson } from '../../util/say.js';
import type { CommandContext } from './command.js';
import type { Arguments, OptionSpecs, OptionsOf } from './option-spec.js';

/** One thing that a command with several does, named by the command's first word. `A` is what it gets. */
export type Action<A = Arguments, Name extends string = string> = {
  /** Its words, for messages: `SOURCE IMAGE`. */
  words: string;
  minWords: number;
  maxWords: number;
  /** Those of the command's options that it takes. */
  options: readonly Name[];
  run: (args: A, context: CommandContext) => Promise<number>;
};

export type Actions = Readonly<Record<string, () => Promise<Action>>>;

/** An action of the command with this spec; it gets no other options than those it names. */
export function action<S extends OptionSpecs, const Name extends keyof S & string>(
  _spec: { readonly options: S },
  action: Action<Arguments<OptionsOf<Pick<S, Name>>>, Name>,
): Action {
  // as: the parser makes the options from the spec, and `runAction` refuses those of other actions
  return { ...action, run: action.run as Action['run'] };
}

/**
 * Runs the action that the first word names, with the words after it. Throws a usage UserError for an unknown action,
 * an option that is another action's, and too few or too many words.
 * @param command its full name, `imaging-image`
 */
export async function runAction(command: string, actions: Actions, args: Arguments, context: CommandContext): Promise<number> {
  const [word, ...words] = args.words;
  const load = word === undefined || !Object.hasOwn(actions, word) ? undefined : actions[word];
  if (!load) {
    const near = nearestNames(word ?? '', Object.keys(actions), 1)[0];
    const hint = near === undefined ? `say one of ${Object.keys(actions).join(', ')}; see ${command} --help` : `did you mean ${near}?`;
    throw new UserError('usage', word === undefined ? 'no action given' : `unknown action ${JSON.stringify(word)}`, hint);
  }
  const { options, minWords, maxWords, words: takes, run } = await load();
  const wrong = args.given.find((name) => !options.includes(name));
  if (wrong !== undefined)
    throw new UserError(
      'usage',
      `--${wrong} means nothing to ${word}`,
      options.length === 0
        ? `${command} ${word} takes no options`
        : `${command} ${word} takes ${options.map((name) => `--${name}`).join(', ')}`,
    );
  if (words.length < minWords || words.length > maxWords) {
    throw new UserError(
      'usage',
      `${word} takes ${takes === '' ? 'nothing' : takes}, not ${words.length === 0 ? 'nothing' : words.map((each) => JSON.stringify(each)).join(' ')}`,
      `usage: ${command} ${word} ${takes}`.trimEnd(),
    );
  }
  return run({ ...args, words }, context);
}

/** One JSON document on standard output. */
export function writeJson(context: CommandContext, value: unknown): void {
  sayJson(context.stdout, value, 2);
}
