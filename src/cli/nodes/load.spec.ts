import { commandSpec } from '../kit/command.js';
import { interruptOptions, leaseOptions, nodeOptions, retryOptions, runOptions, timeoutOption } from './options.js';

export const loadSpec = commandSpec({
  name: 'load',
  aliases: ['load-image'],
  summary: 'load an image onto nodes, by multicast, and reboot them into it',
  exits: {
    ended:
      'links, locks and the server are taken away; nodes stay where they are, and those that were being written hold nothing bootable: the final table names them. A second signal ends at once, without it',
  },
  words: '[node ...]',
  options: {
    ...nodeOptions,
    image: {
      type: 'string',
      alias: 'i',
      value: 'IMAGE',
      completes: ['images', 'files'],
      describe: 'image to load: a name in frisbee.images_dir or a path (default: frisbee.default_image)',
    },
    bandwidth: {
      type: 'number',
      alias: 'b',
      value: 'MIBPS',
      above: 0,
      max: 100_000,
      describe: 'most the server sends, in Mibit/s (default: networking.bandwidth)',
    },
    timeout: timeoutOption('time one node may take in all, all attempts together (default: what image, rate and history ask for)'),
    'no-reset': { type: 'boolean', alias: 'n', describe: 'do not reset: the nodes already run the PXE system, and stay in it' },
    'until-ssh': { type: 'boolean', alias: 'u', describe: 'a node is done only when its new system answers ssh' },
    verify: {
      type: 'string',
      value: 'MODE',
      choices: ['sample', 'full', 'none'],
      describe: 'how much of what was written is read back on the node (default: frisbee.verify)',
    },
    'if-needed': { type: 'boolean', describe: 'leave nodes alone that have the image already: loaded, read back and running since' },
    force: { type: 'boolean', describe: 'also an image that was saved from a half-written disk' },
    'trust-stamp': { type: 'boolean', describe: 'with --if-needed: or that run a system with its stamp' },
    'dry-run': { type: 'boolean', describe: 'say what would be done, touch nothing' },
    'min-success': {
      type: 'string',
      value: 'SHARE',
      describe: 'end soon after so many nodes are done, such as 90% or 30; exit code 0 then',
    },
    ...interruptOptions,
    ...retryOptions,
    ...leaseOptions,
    ...runOptions,
  },
  examples: [
    ['imaging-load -i fedora-21 1-12', 'load fedora-21 onto nodes 1 to 12'],
    ['imaging-load -a ~4', 'the default image onto all nodes but 4'],
    ['imaging-load -i ./mine.ndz -u 7 && ./experiment.sh', 'go on once node 7 runs it'],
  ],
});
