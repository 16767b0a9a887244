import { commandSpec } from '../kit/command.js';

export const configSpec = commandSpec({
  name: 'config',
  summary: 'show every setting, its value and the file it came from',
  words: '[section ...]',
  completes: ['sections'],
  options: { json: { type: 'boolean', describe: 'as JSON' } },
  examples: [['imaging-config frisbee', 'the settings of one section']],
});
