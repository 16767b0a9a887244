import { foldNames } from '../../nodes/names.js';
import { recordRelease } from '../../runs/recording.js';
import { say } from '../../util/say.js';
import { exitCodes } from '../kit/exit.js';
import { nodeNamesOf, runsAction } from './action.js';

/** Lets nodes out of quarantine: their failures so far count no more towards it. */
export const release = runsAction({
  words: 'node ...',
  minWords: 1,
  maxWords: Infinity,
  options: [],
  run: async ({ words }, context, { config, dir }) => {
    const nodes = nodeNamesOf(words, { config, dir });
    const kept = { stateDir: dir, prometheusFile: config.runs.prometheusFile, quarantineAfter: config.nodes.quarantineAfter };
    const released = recordRelease(nodes, kept, context.host);
    const unaffected = nodes.filter((node) => !released.includes(node));
    if (released.length > 0) say(context.stdout, `released: ${foldNames(released)}`);
    if (unaffected.length > 0) say(context.stdout, `had no failures that count towards quarantine: ${foldNames(unaffected)}`);
    return exitCodes.ok;
  },
});
