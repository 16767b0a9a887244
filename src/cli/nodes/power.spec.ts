import { commandSpec } from '../kit/command.js';
import { LOOKS } from '../kit/exit-texts.js';
import { optionSpecs, type OptionSpecs } from '../kit/option-spec.js';
import { leaseOptions, nodeOptions, timeoutOption } from './options.js';

/** Options of the verbs that spoil what a run is doing on a node. */
const bootingOptions = optionSpecs({
  ...leaseOptions,
  force: { type: 'boolean', alias: 'f', describe: 'also nodes that a run has in its hands' },
});

export const statusSpec = powerSpec('status', 'tell whether nodes are on', {});
export const onSpec = powerSpec('on', 'switch nodes on', bootingOptions);
export const offSpec = powerSpec('off', 'switch nodes off', bootingOptions);
export const resetSpec = powerSpec('reset', 'reset nodes', bootingOptions);
export const infoSpec = powerSpec('info', "show the versions of nodes' CMC cards", {});
export const usrpstatusSpec = powerSpec('usrpstatus', "tell whether nodes' USRPs are on", {});
export const usrponSpec = powerSpec('usrpon', "switch nodes' USRPs on", leaseOptions);
export const usrpoffSpec = powerSpec('usrpoff', "switch nodes' USRPs off", leaseOptions);

function powerSpec<More extends OptionSpecs>(name: string, summary: string, more: More) {
  const timeout = timeoutOption('time one node may take (default: nodes.status_default_timeout)');
  return commandSpec({
    name,
    summary,
    exits: 'force-lease' in more ? { ended: 'what the cards were sent by then is done' } : LOOKS,
    words: '[node ...]',
    options: { ...nodeOptions, timeout, ...more },
    examples: [[`imaging-${name} 1-12 ~4-6`, `${summary}, nodes 1 to 3 and 7 to 12`]],
  });
}
