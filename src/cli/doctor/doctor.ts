import { say, sayJson } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { checks } from './checks.js';
import { examine } from './examine.js';
import { details, summaryLine, tally } from './report.js';
import { runChecks, type CheckResult, type DoctorReport } from './run-checks.js';
import { exitCodes } from '../kit/exit.js';
import type { doctorSpec } from './doctor.spec.js';

/** Looks at everything that a load depends on; says of each thing whether it is well, and else why, and what to do. */
export async function run({ words, options }: ArgumentsOf<typeof doctorSpec>, context: CommandContext): Promise<number> {
  const { json, allNodes } = options;
  const examination = await examine({ words, allNodes }, context);
  const width = Math.max(...[...examination.results, ...checks].map(({ name }) => name.length));
  const results = await runChecks(checks, examination, context.signal, (result) => {
    if (!json) say(context.stdout, `${summaryLine(result, width)}`);
  });
  const exitCode = exitCodeOf(results, examination.configured !== null);
  if (json) sayJson(context.stdout, { ok: exitCode === exitCodes.ok, checks: results } satisfies DoctorReport, 2);
  else say(context.stdout, ...details(results), '', tally(results));
  return exitCode;
}

/** Warnings are no failure; a configuration that cannot be read keeps every command from working. */
function exitCodeOf(results: readonly CheckResult[], hasConfiguration: boolean): number {
  if (!hasConfiguration) return exitCodes.environment;
  return results.some(({ status }) => status === 'problem') ? exitCodes.someFailed : exitCodes.ok;
}
