import { foldNames } from '../../nodes/names.js';
import { healthOf } from '../../runs/health.js';
import { openHistory, readHistory } from '../../runs/history.js';
import { messageOf, UserError } from '../../util/errors.js';
import { say } from '../../util/say.js';
import { exitCodes } from '../kit/exit.js';
import { putMetrics } from '../../app/metrics.js';
import { nodeNamesOf, runsAction } from './action.js';

/** Lets nodes out of quarantine: their failures so far count no more towards it. */
export const release = runsAction({
  words: 'node ...',
  minWords: 1,
  maxWords: Infinity,
  options: [],
  run: async ({ words }, context, { config, dir }) => {
    const nodes = nodeNamesOf(words, { config, dir });
    const failing = new Set(
      healthOf(readHistory(dir), config.nodes.quarantineAfter)
        .filter(({ failedInARow }) => failedInARow > 0)
        .map(({ node }) => node),
    );
    const released = nodes.filter((node) => failing.has(node));
    const unaffected = nodes.filter((node) => !failing.has(node));
    if (released.length > 0) {
      record(
        dir,
        released.map((node) => ({ at: context.host.now(), node, released: true as const, by: context.host.login() })),
      );
      say(context.stdout, `released: ${foldNames(released)}`);
      putMetrics(
        { stateDir: dir, prometheusFile: config.runs.prometheusFile, quarantineAfter: config.nodes.quarantineAfter },
        context.host,
      );
    }
    if (unaffected.length > 0) say(context.stdout, `had no failures that count towards quarantine: ${foldNames(unaffected)}`);
    return exitCodes.ok;
  },
});

function record(dir: string, lines: readonly { at: number; node: string; released: true; by: string }[]): void {
  const cannot = (cause: unknown): UserError =>
    new UserError('environment', `the release cannot be recorded in ${dir}: ${messageOf(cause)}`, 'see runs.dir', { cause });
  let problem: UserError | null = null;
  try {
    const history = openHistory(dir, (error) => (problem = cannot(error)));
    for (const line of lines) history.add(line);
    history.close();
  } catch (error) {
    throw cannot(error);
  }
  if (problem !== null) throw problem;
}
