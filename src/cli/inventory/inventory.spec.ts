import { commandSpec } from '../kit/command.js';

export const inventorySpec = commandSpec({
  name: 'inventory',
  summary: 'make an inventory from a site description, check one, show one',
  exits: {
    failed: 'check: something looks wrong; generate --check: files are not up to date',
    ended: 'each file is either the old one or the new one',
  },
  words: 'generate SITE ... | check [FILE] | show [node ...]',
  completes: { actions: { generate: ['files'], check: ['files'], show: ['nodes'] } },
  options: {
    output: {
      type: 'string',
      alias: 'o',
      value: 'DIR',
      completes: ['folders'],
      describe: "generate: folder for the files (default: the description's own)",
    },
    check: { type: 'boolean', describe: 'generate: write nothing, only tell whether the files are up to date; exits 1 when not' },
    file: {
      type: 'string',
      alias: 'f',
      value: 'FILE',
      completes: ['files'],
      describe: 'show: another inventory than that of the configuration',
    },
    json: { type: 'boolean', describe: 'check, show: the result as JSON' },
  },
  examples: [
    ['imaging-inventory generate chamber.ini', 'inventory, hosts, dnsmasq, OMF and configuration files of a site'],
    ['imaging-inventory check', 'the inventory that commands use; exits 1 when something looks wrong, 4 when it cannot be used'],
    ['imaging-inventory show 15', 'which machine is in slot 15, and its addresses'],
  ],
});
