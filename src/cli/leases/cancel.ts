import { say } from '../../util/say.js';
import { writeJson, type Action } from '../kit/actions.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import { exitCodes } from '../kit/exit.js';
import { flag } from '../kit/options.js';
import { withLeases } from './context.js';

/** Gives a lease back. */
export const cancel: Action = { words: 'ID', minWords: 1, maxWords: 1, options: [], run };

function run(args: Arguments, context: CommandContext): Promise<number> {
  const [id = ''] = args.words;
  return withLeases(context, async ({ backend, login, privileged }) => {
    await backend.cancel(id, privileged ? null : login, context.signal);
    if (flag(args.options, 'json')) writeJson(context, { id, cancelled: true });
    else say(context.stdout, `lease ${id} is cancelled`);
    return exitCodes.ok;
  });
}
