import { nearest } from '../../util/nearest.js';
import { UserError } from '../../util/errors.js';
import { say, sayText } from '../../util/say.js';
import { printable } from '../../util/text.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { bashCompletion } from './bash.js';
import { fishCompletion } from './fish.js';
import { zshCompletion } from './zsh.js';
import { exitCodes } from '../kit/exit.js';
import type { completionSpec } from './completion.spec.js';

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** Prints a shell's completions, or names that they ask for. */
export async function run({ words, options }: ArgumentsOf<typeof completionSpec>, context: CommandContext): Promise<number> {
  const { words: kind } = options;
  if (kind !== undefined) {
    const { namesNow } = await import('./words.js');
    const names = (await namesNow(kind, context.host)).filter((name) => printable(name) === name);
    say(context.stdout, ...names);
    return exitCodes.ok;
  }
  const [shell = '', ...more] = words;
  if (!isShell(shell) || more.length > 0) {
    const near = nearest(shell, Object.keys(shells));
    throw new UserError(
      'usage',
      shell === '' ? 'no shell given' : `no completions for ${JSON.stringify([shell, ...more].join(' '))}`,
      near === null ? 'say one of bash, zsh, fish' : `did you mean ${near}?`,
    );
  }
  sayText(context.stdout, shells[shell](context.commands));
  return exitCodes.ok;
}

function isShell(word: string): word is keyof typeof shells {
  return Object.hasOwn(shells, word);
}
