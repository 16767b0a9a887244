import { runAction, type Actions } from '../actions.js';
import type { Arguments, CommandContext } from '../command.js';

/** What `imaging-image` can do, by its first word. */
const actions: Actions = {
  zip: async () => (await import('../image/zip.js')).zip,
  unzip: async () => (await import('../image/unzip.js')).unzip,
  info: async () => (await import('../image/info.js')).info,
  verify: async () => (await import('../image/verify.js')).verify,
  diff: async () => (await import('../image/diff.js')).diff,
};

/** Works on image files: makes, writes, describes, checks and compares them. */
export function run(args: Arguments, context: CommandContext): Promise<number> {
  return runAction('imaging-image', actions, ['json', 'quiet'], args, context);
}
