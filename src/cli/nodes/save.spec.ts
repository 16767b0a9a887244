import { commandSpec } from '../kit/command.js';
import { interruptOptions, leaseOptions, nodeOptions, retryOptions, runOptions, timeoutOption } from './options.js';

export const saveSpec = commandSpec({
  name: 'save',
  summary: "save nodes' disks as images",
  exits: {
    ended:
      'links, locks and what was read of an image are taken away; nodes stay where they are, the final table says where. A second signal ends at once, without it',
  },
  words: '[node ...]',
  options: {
    ...nodeOptions,
    // its -c is the comment, as it has been for years
    curses: { type: 'boolean', describe: 'same as --progress tty' },
    output: { type: 'string', alias: 'o', value: 'NAME', describe: 'what to call the image (default: image)' },
    comment: { type: 'string', alias: 'c', value: 'TEXT', describe: 'what to say about it, in the image and beside it' },
    timeout: timeoutOption('time one node may take in all (default: nodes.save_default_timeout)'),
    'no-reset': { type: 'boolean', alias: 'n', describe: 'do not reset: the node already runs the PXE system, and stays in it' },
    force: {
      type: 'boolean',
      describe: 'also disks that are half-written, or were not read back after a load: their images bear a mark for ever',
    },
    'dry-run': { type: 'boolean', describe: 'say what would be done, touch nothing' },
    ...interruptOptions,
    ...retryOptions,
    ...leaseOptions,
    ...runOptions,
  },
  examples: [
    ['imaging-save 7 -o my-setup', "bring node 7's disk back as an image"],
    ["imaging-save 3 5 -o mine -c 'kernel 6.1'", 'two images, with a word about what is in them'],
  ],
});
