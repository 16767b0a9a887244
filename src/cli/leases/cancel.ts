import { say } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { withLeases } from './context.js';
import { leasesSpec } from './leases.spec.js';

const takes = ['json'] as const;
type CancelArguments = ArgumentsOf<typeof leasesSpec, (typeof takes)[number]>;

/** Gives a lease back. */
export const cancel = action(leasesSpec, { words: 'ID', minWords: 1, maxWords: 1, options: takes, run });

/** What `cancel --json` prints. */
export type CancelReport = { id: string; cancelled: true };

function run({ words, options }: CancelArguments, context: CommandContext): Promise<number> {
  const [id = ''] = words;
  return withLeases(context, async ({ backend, login, privileged }) => {
    await backend.cancel(id, privileged ? null : login, context.signal);
    if (options.json) writeJson(context, { id, cancelled: true } satisfies CancelReport);
    else say(context.stdout, `lease ${id} is cancelled`);
    return exitCodes.ok;
  });
}
