import type { Command, OptionSpec } from './command.js';
import { nodeOptions, timeoutOption } from './options.js';

const specs = '[node ...]';

function powerCommand(name: string, summary: string): Command {
  return {
    kind: 'nodes',
    name,
    summary,
    words: specs,
    options: { ...nodeOptions, timeout: timeoutOption('time one node may take (default: nodes.status_default_timeout)') },
    examples: [[`imaging-${name} 1-12 ~4-6`, `${summary}, nodes 1 to 3 and 7 to 12`]],
    load: async () => (await import('./commands/power.js')).powerModule(name),
  };
}

const waitOptions: Record<string, OptionSpec> = {
  ...nodeOptions,
  timeout: timeoutOption('time one node may take (default: nodes.wait_default_timeout)'),
  user: { type: 'string', alias: 'u', value: 'LOGIN', describe: 'log in as LOGIN (default: root)' },
  backoff: { type: 'number', alias: 'b', value: 'SECONDS', describe: 'mean time between two attempts (default: networking.ssh_backoff)' },
  silent: { type: 'boolean', alias: 's', describe: 'say nothing, only the exit code tells' },
  telnet: { type: 'boolean', alias: 'n', describe: 'wait for telnet (the PXE system) instead of ssh' },
};

/** Every command there is. Help, completions and manual pages come from this table; heavy modules load inside a command. */
export const commands: readonly Command[] = [
  {
    kind: 'nodes',
    name: 'load',
    aliases: ['load-image'],
    summary: 'load an image onto nodes, by multicast, and reboot them into it',
    words: specs,
    options: {
      ...nodeOptions,
      image: { type: 'string', alias: 'i', value: 'IMAGE', describe: 'image to load: a name in frisbee.images_dir or a path (default: frisbee.default_image)' },
      bandwidth: { type: 'number', alias: 'b', value: 'MIBPS', describe: 'most the server sends, in Mibit/s (default: networking.bandwidth)' },
      timeout: timeoutOption('time one node may take in all (default: nodes.load_default_timeout)'),
      'no-reset': { type: 'boolean', alias: 'n', describe: 'do not reset: the nodes already run the PXE system, and stay in it' },
      'until-ssh': { type: 'boolean', alias: 'u', describe: 'a node is done only when its new system answers ssh' },
      'dry-run': { type: 'boolean', describe: 'say what would be done, touch nothing' },
    },
    examples: [
      ['imaging-load -i fedora-21 1-12', 'load fedora-21 onto nodes 1 to 12'],
      ['imaging-load -a ~4', 'the default image onto all nodes but 4'],
      ['imaging-load -i ./mine.ndz -u 7 && ./experiment.sh', 'go on once node 7 runs it'],
    ],
    load: () => import('./commands/load.js'),
  },
  {
    kind: 'nodes',
    name: 'save',
    summary: "save nodes' disks as images",
    words: specs,
    options: {
      ...nodeOptions,
      // its -c is the comment, as it has been for years
      curses: { type: 'boolean', describe: 'same as --progress tty' },
      output: { type: 'string', alias: 'o', value: 'NAME', describe: 'what to call the image (default: image)' },
      comment: { type: 'string', alias: 'c', value: 'TEXT', describe: 'what to say about it, in the image and beside it' },
      timeout: timeoutOption('time one node may take in all (default: nodes.save_default_timeout)'),
      'no-reset': { type: 'boolean', alias: 'n', describe: 'do not reset: the node already runs the PXE system, and stays in it' },
      'dry-run': { type: 'boolean', describe: 'say what would be done, touch nothing' },
    },
    examples: [
      ['imaging-save 7 -o my-setup', "bring node 7's disk back as an image"],
      ["imaging-save 3 5 -o mine -c 'kernel 6.1, GNU Radio'", 'two images, with a word about what is in them'],
    ],
    load: () => import('./commands/save.js'),
  },
  {
    kind: 'nodes',
    name: 'wait',
    summary: 'wait until nodes answer ssh in the system they were last reset into',
    words: specs,
    options: waitOptions,
    examples: [['imaging-wait && ./experiment.sh', 'start when every node of $NODES is up']],
    load: () => import('./commands/wait.js'),
  },
  powerCommand('status', 'tell whether nodes are on'),
  powerCommand('on', 'switch nodes on'),
  powerCommand('off', 'switch nodes off'),
  powerCommand('reset', 'reset nodes'),
  powerCommand('info', "show the versions of nodes' CMC cards"),
  powerCommand('usrpstatus', "tell whether nodes' USRPs are on"),
  powerCommand('usrpon', "switch nodes' USRPs on"),
  powerCommand('usrpoff', "switch nodes' USRPs off"),
  {
    kind: 'plain',
    name: 'nodes',
    summary: 'print the nodes that a node spec means',
    words: specs,
    options: {
      'all-nodes': nodeOptions['all-nodes'],
      folded: { type: 'boolean', alias: 'f', describe: 'print numbers, folded: 1-3,7-12' },
    },
    examples: [['imaging-nodes 1-12 ~4-6', 'fit01 fit02 fit03 fit07 ... fit12']],
    load: () => import('./commands/nodes.js'),
  },
  {
    kind: 'plain',
    name: 'list',
    summary: 'list images, and what else imaging knows',
    words: '[word ...]',
    options: {
      config: { type: 'boolean', alias: 'c', describe: 'the configuration' },
      images: { type: 'boolean', alias: 'i', describe: 'the images (the default)' },
      inventory: { type: 'boolean', alias: 'n', describe: 'the inventory' },
      all: { type: 'boolean', alias: 'a', describe: 'all three' },
      json: { type: 'boolean', describe: 'as JSON' },
    },
    examples: [['imaging-list fedora', 'images whose name contains fedora']],
    load: () => import('./commands/list.js'),
  },
  {
    kind: 'plain',
    name: 'image',
    summary: 'work on image files: make, write, describe, check and compare them',
    words: 'zip SOURCE IMAGE | unzip IMAGE TARGET | info IMAGE | verify IMAGE [DEVICE] | diff A B',
    options: {
      level: { type: 'number', alias: 'z', value: 'LEVEL', describe: 'zip: compression, 0 to 9 (default 4)' },
      slice: { type: 'number', alias: 's', value: 'N', describe: 'zip, unzip, verify: only partition N of the disk' },
      raw: { type: 'boolean', alias: 'r', describe: 'zip: save every sector, look into no file system' },
      uuid: { type: 'string', value: 'UUID', describe: 'zip: the identity of the image, 32 hex digits (default: random)' },
      zero: { type: 'boolean', describe: 'unzip: make free space zeros, to the end of the disk' },
      force: { type: 'boolean', alias: 'f', describe: 'zip, unzip: replace a file that exists; unzip: write to a disk that is in use' },
      sample: { type: 'number', value: 'N', describe: 'verify: compare the first region, the last, and N others taken at random' },
      full: { type: 'boolean', describe: 'verify: compare every region (the default)' },
      workers: { type: 'number', value: 'N', describe: 'how many threads work (default: one per processor)' },
      json: { type: 'boolean', describe: 'the result as JSON' },
      quiet: { type: 'boolean', alias: 'q', describe: 'no progress' },
    },
    examples: [
      ['imaging-image zip /dev/sdb mine.ndz', 'an image of a disk: what is in use, and mine.ndz.sha256'],
      ['imaging-image unzip mine.ndz /dev/sdb', 'and back; refuses a disk that is mounted'],
      ['imaging-image verify mine.ndz /dev/sdb', 'is it really there? exits 1 when not'],
      ['imaging-image diff old.ndz new.ndz', 'what has changed, by partition; exits 1 when anything has'],
    ],
    load: () => import('./commands/image.js'),
  },
  {
    kind: 'plain',
    name: 'config',
    summary: 'show every setting, its value and the file it came from',
    words: '[section ...]',
    options: { json: { type: 'boolean', describe: 'as JSON' } },
    examples: [['imaging-config frisbee', 'the settings of one section']],
    load: () => import('./commands/config.js'),
  },
  {
    kind: 'plain',
    name: 'testbed',
    summary: 'run an emulated testbed: real protocols, no hardware, no root',
    words: 'up|run N [-- command ...]',
    takesCommand: true,
    options: {
      dir: { type: 'string', alias: 'd', value: 'DIR', describe: 'folder for everything it makes (default: a temporary one)' },
      fault: { type: 'string', multiple: true, value: 'NODE:FAULT', describe: 'what goes wrong on a node, such as fit05:cmc-silent; may be repeated' },
      shell: { type: 'string', choices: ['real', 'builtin'], value: 'KIND', describe: "the nodes' shell: a real one (default up to 50 nodes), or a small built-in one" },
      frisbee: { type: 'string', choices: ['real', 'scripted'], value: 'KIND', describe: 'the nodes really receive (default), or only say so' },
      boot: { type: 'number', value: 'SECONDS', describe: 'how long a boot takes (default 0.2; 0 for a node that costs nothing)' },
      on: { type: 'boolean', describe: 'the nodes start switched on, running the demo image' },
      size: { type: 'number', value: 'MIB', describe: 'size of the demo disk' },
      netns: { type: 'boolean', describe: 'give each node a network namespace and the real ports (needs root)' },
      'frisbee-bin': { type: 'string', value: 'PATH', describe: 'with --netns: the program that the nodes run as frisbee' },
    },
    examples: [
      ['imaging-testbed up 12', 'twelve nodes, until Ctrl-C'],
      ['imaging-testbed run 12 -- imaging-load -i demo 1-12', 'run a command inside, exit with its code'],
    ],
    load: () => import('./commands/testbed.js'),
  },
  {
    kind: 'plain',
    name: 'demo',
    summary: 'load an image onto a 12-node emulated testbed, then verify every disk',
    words: '',
    options: { nodes: { type: 'number', value: 'N', describe: 'how many nodes (default 12)' } },
    examples: [['npm run demo', 'the same, from a fresh clone']],
    load: () => import('./commands/demo.js'),
  },
  program('frisbee', 'receive an image from a frisbee server, as the program of that name does'),
  program('frisbeed', 'serve an image to frisbee clients, as the program of that name does'),
  program('imagezip', 'make an image of a disk, as the program of that name does'),
  program('imageunzip', 'write an image to a disk, as the program of that name does'),
];

function program(name: 'frisbee' | 'frisbeed' | 'imagezip' | 'imageunzip', summary: string): Command {
  return {
    kind: 'program',
    name,
    aliases: [name],
    summary,
    words: '...',
    options: {},
    examples: [],
    load: async () => ({ run: (await import('./commands/programs.js')).programs[name] }),
  };
}
