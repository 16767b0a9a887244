import { runAction, type Action } from '../kit/actions.js';
import type { Arguments, CommandContext } from '../kit/command.js';

/** What `imaging-inventory` can do, by its first word. */
const actions: Record<string, () => Promise<Action>> = {
  generate: async () => (await import('./generate.js')).generate,
  check: async () => (await import('./check.js')).check,
  show: async () => (await import('./show.js')).show,
};

/** Makes inventories from site descriptions, checks and shows them. */
export function run(args: Arguments, context: CommandContext): Promise<number> {
  return runAction('imaging-inventory', actions, [], args, context);
}
