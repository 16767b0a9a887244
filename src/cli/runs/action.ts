import { loadConfig } from '../../config/read-config.js';
import type { Config } from '../../config/config.js';
import { runsDir } from '../../config/runs-dir.js';
import { fold, nodeName } from '../../nodes/names.js';
import { parseNodeSpecs } from '../../nodes/parse.js';
import { UserError } from '../../util/errors.js';
import { warn } from '../../util/say.js';
import { printable } from '../../util/text.js';
import { action, type Action } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { Arguments, OptionsOf } from '../kit/option-spec.js';
import { setResolver } from '../../app/node-sets.js';
import { namesOf } from '../../app/site.js';
import { runsSpec } from './runs.spec.js';

/** Where runs are, and how nodes are called. */
export type RunsSite = { config: Config; dir: string };

/** One thing `imaging-runs` does, with the options that it takes. */
type RunsAction<A, Name extends string> = Omit<Action<A, Name>, 'run'> & {
  run: (args: A, context: CommandContext, site: RunsSite) => Promise<number>;
};

type RunsOptions = (typeof runsSpec)['options'];

export function runsAction<const Name extends keyof RunsOptions>(
  one: RunsAction<Arguments<OptionsOf<Pick<RunsOptions, Name>>>, Name>,
): Action {
  return action(runsSpec, { ...one, run: async (args, context) => one.run(args, context, await openRunsSite(context)) });
}

async function openRunsSite(context: CommandContext): Promise<RunsSite> {
  const { config, warnings } = await loadConfig(context.host);
  for (const text of warnings) if (!text.includes('is missing')) warn(context.stderr, text);
  return { config, dir: await runsDir(config.runs.dir, context.host) };
}

/** The names of the nodes that specs mean; they need not be in any inventory. */
export function nodeNamesOf(words: readonly string[], { config, dir }: RunsSite): string[] {
  const names = namesOf(config);
  return parseNodeSpecs(words, names, undefined, setResolver(config.groups, names, dir)).map((number) =>
    nodeName(number, names.regularName),
  );
}

/** The one node that a spec means. Throws a usage UserError when it means another number of them. */
export function oneNode(word: string, site: RunsSite): string {
  const names = nodeNamesOf([word], site);
  if (names.length === 1 && names[0] !== undefined) return names[0];
  throw new UserError(
    'usage',
    `${JSON.stringify(word)} is ${names.length} nodes`,
    `say one of them${names.length > 1 ? `: ${fold(parseNodeSpecs([word], namesOf(site.config))).slice(0, 60)}` : ''}`,
  );
}

/** `2026-11-21 02:30`, local time. */
export function localTime(atMs: number): string {
  return new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace('T', ' ');
}

/** Rows as lines, each column as wide as its widest cell; the last one is not padded. Cells may hold words of others. */
export function columns(table: readonly (readonly string[])[]): string[] {
  const rows = table.map((row) => row.map(printable));
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)), []);
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
