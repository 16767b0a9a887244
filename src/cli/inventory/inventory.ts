import { runAction, type Actions } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { inventorySpec } from './inventory.spec.js';

/** What `imaging-inventory` can do, by its first word. */
const actions: Actions = {
  generate: async () => (await import('./generate.js')).generate,
  check: async () => (await import('./check.js')).check,
  show: async () => (await import('./show.js')).show,
};

/** Makes inventories from site descriptions, checks and shows them. */
export function run(args: ArgumentsOf<typeof inventorySpec>, context: CommandContext): Promise<number> {
  return runAction('imaging-inventory', actions, args, context);
}
