import { runAction, type Actions } from '../actions.js';
import type { Arguments, CommandContext } from '../command.js';

/** What `imaging-leases` can do, by its first word. */
const actions: Actions = {
  list: async () => (await import('../leases/list.js')).list,
  book: async () => (await import('../leases/book.js')).book,
  cancel: async () => (await import('../leases/cancel.js')).cancel,
  check: async () => (await import('../leases/check.js')).check,
};

/** Shows, books, cancels and checks leases. */
export function run(args: Arguments, context: CommandContext): Promise<number> {
  return runAction('imaging-leases', actions, ['json'], args, context);
}
