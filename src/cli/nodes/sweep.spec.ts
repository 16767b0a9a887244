import { commandSpec } from '../kit/command.js';

export const sweepSpec = commandSpec({
  name: 'sweep',
  summary: 'take away what killed runs left behind: next-boot links, server programs, unfinished images',
  exits: { ok: 'nothing is left behind', ended: 'what was taken away by then is gone' },
  words: '',
  options: { 'dry-run': { type: 'boolean', describe: 'say what would be removed, touch nothing' } },
  examples: [['imaging-sweep', 'what the timer imaging-sweep.timer runs; commands that boot nodes do it as well, first of all']],
});
