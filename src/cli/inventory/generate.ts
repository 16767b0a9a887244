import { dirname, join } from 'node:path';
import { UserError } from '../../util/errors.js';
import { say } from '../../util/say.js';
import { action } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { compareFiles, writeFiles } from './output-files.js';
import { readSite, type SiteOutput } from './site-input.js';
import { inventorySpec } from './inventory.spec.js';

const takes = ['output', 'check'] as const;
type GenerateArguments = ArgumentsOf<typeof inventorySpec, (typeof takes)[number]>;

/** Makes a site's files from its description, or says whether they are what it gives. */
export const generate = action(inventorySpec, { words: 'SITE ...', minWords: 1, maxWords: Infinity, options: takes, run });

/** A site and the folder its files belong in. */
type Job = { output: SiteOutput; dir: string };

async function run({ words, options }: GenerateArguments, context: CommandContext): Promise<number> {
  const jobs = await readSites(words, options.output);
  const isCheck = options.check;
  let code: number = exitCodes.ok;
  for (const { output, dir } of jobs) {
    const states = await compareFiles(dir, output.files);
    const stale = output.files.filter((file) => states.get(file) !== 'current');
    if (isCheck && stale.length > 0) code = exitCodes.someFailed;
    if (!isCheck) await writeFiles(dir, stale);
    for (const file of stale) {
      const what = !isCheck ? 'written' : states.get(file) === 'missing' ? 'is missing' : 'differs from what the description gives';
      say(context.stdout, `${join(dir, file.name)}${isCheck ? ' ' : ': '}${what}`);
    }
    say(
      context.stdout,
      `${output.name}: ${output.nodeCount} node${output.nodeCount === 1 ? '' : 's'}; ${summary(output.files.length, stale.length, isCheck)}`,
    );
  }
  return code;
}

function summary(count: number, stale: number, isCheck: boolean): string {
  if (isCheck) return `${count - stale} of ${count} files up to date`;
  return `${stale === 0 ? '' : `${stale} of `}${count} files ${stale === 0 ? 'unchanged' : 'written'}`;
}

/** All sites, or a UserError (environment) with everything that is wrong with any of them, before anything is written. */
async function readSites(paths: readonly string[], folder: string | undefined): Promise<Job[]> {
  const jobs: Job[] = [];
  const problems = new Set<string>(); // two sites may share a map
  for (const path of paths) {
    const site = await readSite(path);
    for (const problem of site.problems) problems.add(problem);
    if (site.output !== null) jobs.push({ output: site.output, dir: folder ?? dirname(path) });
  }
  if (problems.size > 0)
    throw new UserError('environment', [...problems], 'nothing was written; docs/inventory.md says how a site is described');
  const places = jobs.map(({ output, dir }) => join(dir, output.name));
  const twice = places.find((place, index) => places.indexOf(place) !== index);
  if (twice !== undefined)
    throw new UserError(
      'usage',
      `two of the sites would write ${twice}.*`,
      'give each site a name of its own, or generate them into different folders',
    );
  return jobs;
}
