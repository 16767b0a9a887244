import { commandSpec } from '../kit/command.js';
import { nodeOptions, timeoutOption, userOption } from './options.js';

export const whichSpec = commandSpec({
  name: 'which',
  summary: 'tell which image each node runs',
  words: '[node ...]',
  options: {
    ...nodeOptions,
    timeout: timeoutOption('time one node may take (default: nodes.status_default_timeout)'),
    ...userOption,
    json: { type: 'boolean', describe: 'one JSON object a line for each node' },
  },
  examples: [
    ['imaging-which 1-12', 'fit01:fedora-21 (saved 2026-11-21 by alice, load run 20261126-091500-load-3f2a) ...'],
    ['imaging-which -a --json | jq -r \'select(.image != "fedora-21").node\'', 'nodes that run something else'],
  ],
});
