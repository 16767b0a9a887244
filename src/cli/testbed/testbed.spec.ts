import { commandSpec } from '../kit/command.js';

export const testbedSpec = commandSpec({
  name: 'testbed',
  summary: 'run an emulated testbed: real protocols, no hardware, no root',
  exits: {
    ok: 'up: it was told to end; run: the command ended with 0',
    failed: 'run: the command ended with 1; its other codes are passed on as well',
    ended: 'run: so was the command, and the testbed is taken down',
  },
  words: 'up|run N|--inventory FILE [-- command ...]',
  completes: { actions: { up: [], run: [] } },
  takesCommand: true,
  options: {
    dir: {
      type: 'string',
      alias: 'd',
      value: 'DIR',
      completes: ['folders'],
      describe: 'folder for everything it makes (default: a temporary one)',
    },
    inventory: {
      type: 'string',
      value: 'FILE',
      completes: ['files'],
      describe:
        'instead of N: exactly the nodes of an inventory, with its names, addresses and MACs (127.x, or with --netns 192.168.1.x and 192.168.3.x)',
    },
    fault: {
      type: 'string',
      multiple: true,
      value: 'NODE:FAULT',
      describe: 'what goes wrong on a node, such as fit05:cmc-silent; may be repeated',
    },
    shell: {
      type: 'string',
      choices: ['real', 'builtin'],
      value: 'KIND',
      describe: "the nodes' shell: a real one (default up to 50 nodes), or a small built-in one",
    },
    frisbee: {
      type: 'string',
      choices: ['real', 'scripted'],
      value: 'KIND',
      describe: 'the nodes really receive (default), or only say so',
    },
    boot: { type: 'number', value: 'SECONDS', min: 0, describe: 'how long a boot takes (default 0.2; 0 for a node that costs nothing)' },
    on: { type: 'boolean', describe: 'the nodes start switched on, running the demo image' },
    size: { type: 'number', value: 'MIB', above: 0, max: 604_800, describe: 'size of the demo disk' },
    netns: { type: 'boolean', describe: 'give each node a network namespace and the real ports (needs root)' },
    'frisbee-bin': {
      type: 'string',
      value: 'PATH',
      completes: ['files'],
      describe: 'with --netns: the program that the nodes run as frisbee',
    },
  },
  examples: [
    ['imaging-testbed up 12', 'twelve nodes, until Ctrl-C'],
    ['imaging-testbed run 12 -- imaging-load -i demo 1-12', 'run a command inside, exit with its code'],
  ],
});
