import { commandSpec } from '../kit/command.js';

export const listSpec = commandSpec({
  name: 'list',
  summary: 'list images, and what else imaging knows',
  words: '[word ...]',
  completes: ['images'],
  options: {
    config: { type: 'boolean', alias: 'c', describe: 'the configuration' },
    images: { type: 'boolean', alias: 'i', describe: 'the images (the default)' },
    inventory: { type: 'boolean', alias: 'n', describe: 'the inventory' },
    all: { type: 'boolean', alias: 'a', describe: 'all three' },
    every: { type: 'boolean', alias: 'e', describe: 'images that have every word in their names, not any' },
    shared: { type: 'boolean', alias: 'p', describe: 'without those that somebody saved and nobody shared (saving__...)' },
    size: { type: 'boolean', alias: 's', describe: 'the largest first' },
    date: { type: 'boolean', alias: 'd', describe: 'the newest first' },
    reverse: { type: 'boolean', alias: 'r', describe: 'the other way round' },
    narrow: { type: 'boolean', alias: 'N', describe: 'names only' },
    json: { type: 'boolean', describe: 'as JSON' },
  },
  examples: [
    ['imaging-list fedora ubuntu ~21', 'images whose name contains fedora or ubuntu, and not 21'],
    ['imaging-list -d -p', 'what is shared, the newest first'],
  ],
});
