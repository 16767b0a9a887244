import { commandSpec } from '../kit/command.js';

export const demoSpec = commandSpec({
  name: 'demo',
  summary: 'load an image onto a 12-node emulated testbed, then verify every disk',
  exits: { ok: 'every disk is right', failed: 'a disk is not right', ended: 'the emulated testbed is taken down' },
  words: '',
  options: { nodes: { type: 'number', value: 'N', integer: true, min: 1, max: 50, describe: 'how many nodes (default 12)' } },
  examples: [['npm run demo', 'the same, from a fresh clone']],
});
