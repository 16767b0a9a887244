import { runAction, type Actions } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { leasesSpec } from './leases.spec.js';

/** What `imaging-leases` can do, by its first word. */
const actions: Actions = {
  list: async () => (await import('./list.js')).list,
  book: async () => (await import('./book.js')).book,
  cancel: async () => (await import('./cancel.js')).cancel,
  check: async () => (await import('./check.js')).check,
};

/** Shows, books, cancels and checks leases. */
export function run(args: ArgumentsOf<typeof leasesSpec>, context: CommandContext): Promise<number> {
  return runAction('imaging-leases', actions, args, context);
}
