import { commandSpec } from '../kit/command.js';

export const shareSpec = commandSpec({
  name: 'share',
  summary: 'give a saved image its own name in the images folder, for everybody, and an alias',
  exits: { ended: 'what was moved and linked by then stays so' },
  words: 'IMAGE',
  options: {
    alias: { type: 'string', alias: 'a', value: 'ALIAS', describe: 'another name that leads to it' },
    'dry-run': { type: 'boolean', alias: 'n', describe: 'say what would be done, touch nothing' },
    force: {
      type: 'boolean',
      alias: 'f',
      describe:
        'replace an image, or an alias, of that name; also share an image that was saved from a half-written disk, or one not read back',
    },
    clean: { type: 'boolean', alias: 'c', describe: 'remove older images that were saved under that name' },
  },
  examples: [['imaging-share -a default my-setup', 'saving__fit07__2026-11-21@01-16__my-setup becomes my-setup, and what loads take']],
});
