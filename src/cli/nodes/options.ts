import { windowSize } from '../../config/kinds.js';
import { progressModes } from '../../monitor/monitor.js';
import { optionSpecs, type NumberSpec } from '../kit/option-spec.js';

/** Seconds, and at most a week of them. */
const seconds = { type: 'number', value: 'SECONDS', above: 0, max: 604_800 } as const;

/** Which nodes are meant besides those that words name. */
export const allNodesOption = optionSpecs({
  'all-nodes': { type: 'boolean', alias: 'a', describe: 'all nodes: $ALL_NODES, else testbed.all_scope of the configuration' },
});

/** How a run is shown. */
export const progressOption = optionSpecs({
  progress: {
    type: 'string',
    value: 'MODE',
    choices: progressModes,
    describe: 'how to show progress: auto, tty, plain, quiet, json (one event a line)',
  },
});

export const cursesOption = optionSpecs({ curses: { type: 'boolean', alias: 'c', describe: 'same as --progress tty' } });

export const verboseOption = optionSpecs({ verbose: { type: 'boolean', alias: 'v', describe: 'show every step of every node' } });

/** Options that every command on nodes takes. */
export const nodeOptions = { ...allNodesOption, ...progressOption, ...cursesOption, ...verboseOption };

/** Options of the commands that take long and work on the nodes' disks. */
export const runOptions = optionSpecs({
  detach: { type: 'boolean', describe: 'go on in the background: print the name of the run and return' },
  'include-quarantined': { type: 'boolean', describe: 'take nodes in quarantine as well (see nodes.quarantine_after)' },
});

/** Options of the commands that take nodes through several steps. */
export const retryOptions = optionSpecs({
  passes: {
    type: 'number',
    value: 'N',
    integer: true,
    min: 1,
    max: 100,
    describe: 'try each node up to N times, each time harder (default: nodes.passes)',
  },
  window: {
    type: 'string',
    value: 'N/SECONDS',
    format: { allowed: windowSize.allowed, parse: (text) => windowSize.parse(text, { folder: '/', home: '/' }) },
    describe: 'spread resets: at most N nodes in so many seconds, such as 20/2s (default: nodes.boot_window)',
  },
  'wait-lock': { ...seconds, describe: 'wait so long for nodes that another run holds (default: not at all)' },
});

/** Of the commands that leave a node's disk, or an image, useless when they are cut off. */
export const interruptOptions = optionSpecs({
  'on-interrupt': {
    type: 'string',
    value: 'WHAT',
    choices: ['stop', 'finish'],
    describe:
      'what a first Ctrl-C, SIGTERM or SIGHUP does: stop (the default), or finish: nodes that are being written or read are brought to their end, nothing new begins, and a second one stops',
  },
});

/** Of commands that need a lease. */
export const leaseOptions = optionSpecs({
  'force-lease': { type: 'boolean', describe: 'ask for no lease; only for the users of leases.privileged' },
});

export const userOption = optionSpecs({
  user: { type: 'string', alias: 'u', value: 'LOGIN', describe: 'log in as LOGIN (default: root)' },
});

/** How long something may take, a week at most. */
export const timeoutOption = (what: string): NumberSpec => ({ ...seconds, alias: 't', describe: what });
