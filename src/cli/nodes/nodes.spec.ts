import { commandSpec } from '../kit/command.js';
import { allNodesOption } from './options.js';

export const nodesSpec = commandSpec({
  name: 'nodes',
  summary: 'print the nodes that a node spec means',
  words: '[node ...]',
  completes: ['nodes'],
  options: {
    ...allNodesOption,
    folded: { type: 'boolean', alias: 'f', describe: 'print numbers, folded: 1-3,7-12' },
  },
  examples: [['imaging-nodes 1-12 ~4-6', 'fit01 fit02 fit03 fit07 ... fit12']],
});
