import { commandSpec } from '../kit/command.js';
import { cursesOption, progressOption, runOptions, verboseOption } from '../nodes/options.js';

export const runsSpec = commandSpec({
  name: 'runs',
  summary: 'look at runs: list, show, follow, replay and resume them; how healthy nodes are',
  exits: {
    ok: 'done; attach and resume: every node is fine, or q has left a run that goes on',
    failed: 'attach, resume: at least one node failed; the final table says which, where and why',
    ended: 'attach: the run goes on; resume: as the command says that is resumed; else nothing was changed',
  },
  words:
    'list | show [RUN] | log [RUN] NODE | events [RUN] | replay [RUN] | attach [RUN] | resume [RUN] | stats [node ...] | release node ...',
  completes: {
    actions: {
      list: [],
      show: ['runs'],
      log: ['runs', 'nodes'],
      events: ['runs'],
      replay: ['runs'],
      attach: ['runs'],
      resume: ['runs'],
      stats: ['nodes'],
      release: ['nodes'],
    },
  },
  options: {
    count: { type: 'number', alias: 'n', value: 'N', integer: true, min: 1, describe: 'list: how many, the newest (default 20)' },
    json: { type: 'boolean', describe: 'list, show, stats: as JSON' },
    speed: {
      type: 'number',
      value: 'X',
      above: 0,
      max: 1_000_000,
      describe: 'replay: X times as fast as it was (default: 1 on a terminal, else without pauses)',
    },
    raw: { type: 'boolean', describe: 'log: every byte as it came, control sequences included' },
    force: { type: 'boolean', describe: 'resume: although the image has changed since' },
    'dry-run': { type: 'boolean', describe: 'resume: say what would be done, touch nothing' },
    ...runOptions,
    ...progressOption,
    ...cursesOption,
    ...verboseOption,
  },
  examples: [
    ['imaging-runs', 'the newest runs: who did what to which nodes, and how it went'],
    ['imaging-runs show last', 'the plan, every node, every failure and what to try'],
    ['imaging-runs log 7', 'what node 7 said in the last run'],
    ['imaging-runs attach', 'follow the last run as if it had been started here; q leaves it alone'],
    ['imaging-runs resume', 'the last run again, for the nodes that it did not get done'],
  ],
});
