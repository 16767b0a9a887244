import { progressModes } from '../../monitor/monitor.js';
import type { OptionSpec, OptionValues } from './command.js';
import { UserError } from '../../util/errors.js';

/** Options that every command on nodes takes. */
export const nodeOptions = {
  'all-nodes': { type: 'boolean', alias: 'a', describe: 'all nodes: $ALL_NODES, else testbed.all_scope of the configuration' },
  progress: {
    type: 'string',
    value: 'MODE',
    choices: progressModes,
    describe: 'how to show progress: auto, tty, plain, quiet, json (one event a line)',
  },
  curses: { type: 'boolean', alias: 'c', describe: 'same as --progress tty' },
  verbose: { type: 'boolean', alias: 'v', describe: 'show every step of every node' },
} satisfies Record<string, OptionSpec>;

/** Options of the commands that take long and work on the nodes' disks. */
export const runOptions = {
  detach: { type: 'boolean', describe: 'go on in the background: print the name of the run and return' },
  'include-quarantined': { type: 'boolean', describe: 'take nodes in quarantine as well (see nodes.quarantine_after)' },
} satisfies Record<string, OptionSpec>;

/** Options of the commands that take nodes through several steps. */
export const retryOptions = {
  passes: { type: 'number', value: 'N', describe: 'try each node up to N times, each time harder (default: nodes.passes)' },
  window: {
    type: 'string',
    value: 'N/SECONDS',
    describe: 'spread resets: at most N nodes in so many seconds, such as 20/2s (default: nodes.boot_window)',
  },
  'wait-lock': { type: 'number', value: 'SECONDS', describe: 'wait so long for nodes that another run holds (default: not at all)' },
} satisfies Record<string, OptionSpec>;

/** Of the commands that leave a node's disk, or an image, useless when they are cut off. */
export const onInterruptOption = {
  type: 'string',
  value: 'WHAT',
  choices: ['stop', 'finish'],
  describe:
    'what a first Ctrl-C, SIGTERM or SIGHUP does: stop (the default), or finish: nodes that are being written or read are brought to their end, nothing new begins, and a second one stops',
} satisfies OptionSpec;

export function onInterrupt(options: OptionValues): 'stop' | 'finish' {
  return text(options, 'on-interrupt') === 'finish' ? 'finish' : 'stop';
}

export const minSuccessOption = {
  type: 'string',
  value: 'SHARE',
  describe: 'end soon after so many nodes are done, such as 90% or 30; exit code 0 then',
} satisfies OptionSpec;

/** Of commands that need a lease. */
export const leaseOptions = {
  'force-lease': { type: 'boolean', describe: 'ask for no lease; only for the users of leases.privileged' },
} satisfies Record<string, OptionSpec>;

/** Of the verbs that would spoil what a run is doing on a node. */
export const forceOption = { type: 'boolean', alias: 'f', describe: 'also nodes that a run has in its hands' } satisfies OptionSpec;

export const timeoutOption = (what: string): OptionSpec => ({ type: 'number', alias: 't', value: 'SECONDS', describe: what });

export function flag(options: OptionValues, name: string): boolean {
  return options[name] === true;
}

export function text(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function texts(options: OptionValues, name: string): string[] {
  const value = options[name];
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.map(String) : [];
}

/** A number greater than 0, at most a week's seconds by default, or undefined when the option was not given. */
export function positive(options: OptionValues, name: string, max = 604_800): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  const number = Number(value);
  if (typeof value === 'boolean' || !Number.isFinite(number) || number <= 0 || number > max)
    throw new UserError('usage', `--${name}: ${String(value)} is not a number greater than 0 and at most ${max}`);
  return number;
}
