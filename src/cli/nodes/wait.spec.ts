import { commandSpec } from '../kit/command.js';
import { nodeOptions, timeoutOption, userOption } from './options.js';

export const waitSpec = commandSpec({
  name: 'wait',
  summary: 'wait until nodes answer ssh in the system they were last reset into',
  words: '[node ...]',
  options: {
    ...nodeOptions,
    timeout: timeoutOption('time one node may take (default: nodes.wait_default_timeout)'),
    ...userOption,
    backoff: {
      type: 'number',
      alias: 'b',
      value: 'SECONDS',
      above: 0,
      max: 604_800,
      describe: 'mean time between two attempts (default: networking.ssh_backoff)',
    },
    silent: { type: 'boolean', alias: 's', describe: 'say nothing, only the exit code tells' },
    telnet: { type: 'boolean', alias: 'n', describe: 'wait for telnet (the PXE system) instead of ssh' },
  },
  examples: [['imaging-wait && ./experiment.sh', 'start when every node of $NODES is up']],
});
