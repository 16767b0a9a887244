import { loadConfig } from '../../config/read-config.js';
import { fold, nodeName } from '../../nodes/names.js';
import { say, warn } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import { exitCodes } from '../kit/exit.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { selection, setsOf } from '../../app/site.js';
import type { nodesSpec } from './nodes.spec.js';

/** Prints what a node spec means, on one line; needs no inventory. */
export async function run({ words, options }: ArgumentsOf<typeof nodesSpec>, context: CommandContext): Promise<number> {
  const { config, warnings } = await loadConfig(context.host);
  for (const text of warnings) if (!text.includes('is missing')) warn(context.stderr, text);
  const { numbers } = selection({ words, allNodes: options.allNodes }, config, context.host, await setsOf(config, context));
  const line = options.folded ? fold(numbers) : numbers.map((number) => nodeName(number, config.testbed.regularName)).join(' ');
  if (line !== '') say(context.stdout, line);
  return exitCodes.ok;
}
