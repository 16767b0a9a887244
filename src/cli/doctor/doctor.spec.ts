import { commandSpec } from '../kit/command.js';
import { allNodesOption } from '../nodes/options.js';

export const doctorSpec = commandSpec({
  name: 'doctor',
  summary: 'look at everything a load depends on; say what is wrong, why, and what to do',
  exits: { ok: 'nothing is wrong that would keep a load from working', failed: 'something will not work', ended: 'nothing was changed' },
  words: '[node ...]',
  completes: ['nodes'],
  options: {
    ...allNodesOption,
    json: { type: 'boolean', describe: 'as JSON' },
  },
  examples: [
    ['imaging-doctor', 'this gateway, its network and every power card; exits 1 when something will not work'],
    ['imaging-doctor 7', 'only the card of node 7; and can one log in to it?'],
  ],
});
