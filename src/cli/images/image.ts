import { UserError } from '../../util/errors.js';
import { runAction, type Actions } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { imageSpec } from './image.spec.js';

/** What `imaging-image` can do, by its first word. */
const actions: Actions = {
  zip: async () => (await import('./zip.js')).zip,
  unzip: async () => (await import('./unzip.js')).unzip,
  info: async () => (await import('./info.js')).info,
  verify: async () => (await import('./verify.js')).verify,
  diff: async () => (await import('./diff.js')).diff,
};

/** Works on image files: makes, writes, describes, checks and compares them. */
export async function run(args: ArgumentsOf<typeof imageSpec>, context: CommandContext): Promise<number> {
  const [word = '', ...words] = args.words;
  if (words.includes('-') && ['info', 'verify', 'diff'].includes(word)) {
    throw new UserError(
      'usage',
      `${word} reads images here and there, which a pipe does not allow`,
      'give the path of a file; - is for zip and unzip',
    );
  }
  return runAction('imaging-image', actions, args, context);
}
