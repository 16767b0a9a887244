import { loadConfig } from '../../config/read-config.js';
import { runsDir } from '../../config/runs-dir.js';
import { findLeftovers } from '../../pxe/leftovers.js';
import { childRecords } from '../../runs/children.js';
import { pruneRuns } from '../../runs/retention.js';
import { UserError } from '../../util/errors.js';
import { say } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import { exitCodes } from '../kit/exit.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { sweep } from '../../app/sweep.js';
import { sweepImages } from '../../app/unfinished-images.js';
import type { sweepSpec } from './sweep.spec.js';

/** Takes away what killed runs left; says what it took, and nothing when there was nothing: it is made for timers. */
export async function run({ words, options }: ArgumentsOf<typeof sweepSpec>, context: CommandContext): Promise<number> {
  if (words.length > 0)
    throw new UserError(
      'usage',
      `imaging-sweep takes no words, not ${JSON.stringify(words[0])}`,
      'it sweeps everything; see imaging-sweep --help',
    );
  const { host, stdout, stderr } = context;
  const { config } = await loadConfig(host);
  const { configDir, frisbeeImage } = config.pxelinux;
  const stateDir = await runsDir(config.runs.dir, host);
  const leftNow = async (): Promise<string[]> => {
    const [{ dead }, orphans] = [await findLeftovers(configDir, frisbeeImage, host), await childRecords(stateDir, host).orphans()];
    return [...dead, ...orphans.map((pid) => `server program, pid ${pid}`)];
  };
  if (options.dryRun) {
    const images = await sweepImages(config.frisbee.imagesDir, host, { dryRun: true });
    for (const what of [...(await leftNow()), ...images]) say(stdout, `would remove ${what}`);
    return exitCodes.ok;
  }
  const { removed, problems } = await sweep({ config, stateDir }, host);
  removed.push(...(await sweepImages(config.frisbee.imagesDir, host, { dryRun: false })).map((path) => `removed ${path}`));
  // as root above all: in a folder that several share, a run may only be removed by whose it is, or by root
  const { keep, keepDays } = config.runs;
  removed.push(
    ...pruneRuns(stateDir, { keep, keepDays }, host.now()).map(
      (run) => `removed run ${run}: too many of its kind, or too old (runs.keep, runs.keep_days)`,
    ),
  );
  for (const what of removed) say(stdout, what);
  for (const text of problems) say(stderr, `imaging: ${text}`);
  if (problems.length > 0) return exitCodes.environment;
  const left = await leftNow();
  for (const what of left) say(stderr, `imaging: left alone: ${what}: not ours to remove; run imaging-sweep as root`);
  return left.length > 0 ? exitCodes.refused : exitCodes.ok;
}
