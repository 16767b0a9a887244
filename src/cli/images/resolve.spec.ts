import { commandSpec } from '../kit/command.js';

export const resolveSpec = commandSpec({
  name: 'resolve',
  summary: 'print the file that a load would take for a name',
  words: '[NAME]',
  options: {
    verbose: { type: 'boolean', alias: 'v', describe: 'also its date, size and origin, and what else the name could mean' },
    json: { type: 'boolean', describe: 'all that, as JSON' },
  },
  examples: [['imaging-resolve my-setup', 'the newest image that somebody saved as my-setup, unless one is shared under that name']],
});
