import { say, sayJson } from '../../util/say.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import { checks } from './checks.js';
import { examine } from './examine.js';
import { details, summaryLine, tally } from './report.js';
import { runChecks, type CheckResult } from './run-checks.js';
import { exitCodes } from '../kit/exit.js';
import { flag } from '../kit/options.js';

/** Looks at everything that a load depends on; says of each thing whether it is well, and else why, and what to do. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const json = flag(args.options, 'json');
  const examination = await examine(args, context);
  const width = Math.max(...[...examination.results, ...checks].map(({ name }) => name.length));
  const results = await runChecks(checks, examination, context.signal, (result) => {
    if (!json) say(context.stdout, `${summaryLine(result, width)}`);
  });
  const exitCode = exitCodeOf(results, examination.configured !== null);
  if (json) sayJson(context.stdout, { ok: exitCode === exitCodes.ok, checks: results }, 2);
  else say(context.stdout, ...details(results), '', tally(results));
  return exitCode;
}

/** Warnings are no failure; a configuration that cannot be read keeps every command from working. */
function exitCodeOf(results: readonly CheckResult[], hasConfiguration: boolean): number {
  if (!hasConfiguration) return exitCodes.environment;
  return results.some(({ status }) => status === 'problem') ? exitCodes.someFailed : exitCodes.ok;
}
