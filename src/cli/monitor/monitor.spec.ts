import { commandSpec } from '../kit/command.js';
import { allNodesOption, userOption } from '../nodes/options.js';

export const monitorSpec = commandSpec({
  name: 'monitor',
  summary: 'watch nodes, for as long as you like: power, ping, ssh, system, image, who holds them',
  exits: {
    ok: 'told to end, by q, Ctrl-C, SIGTERM or SIGHUP, or nobody reads any more',
    ended: 'while it began, or at once by a second signal; nothing was changed',
  },
  words: '[node ...]',
  options: {
    ...allNodesOption,
    json: { type: 'boolean', alias: 'j', describe: 'JSON lines: everything once, then every change' },
    websocket: {
      type: 'string',
      multiple: true,
      alias: 'w',
      value: 'URL',
      describe: 'connect to a websocket and tell it the same, again whenever it comes back; may be repeated',
    },
    listen: { type: 'string', value: '[HOST:]PORT', describe: 'serve it to websockets and as server-sent events' },
    quiet: { type: 'boolean', alias: 'q', describe: 'show nothing here' },
    cycle: {
      type: 'number',
      value: 'SECONDS',
      above: 0,
      max: 3_600,
      describe: 'mean time between two looks at a node (default: monitor.cycle)',
    },
    ...userOption,
  },
  examples: [
    ['imaging-monitor', 'every node of the inventory, on a live screen; q leaves'],
    ['imaging-monitor 1-12 --json', 'JSON lines for a program'],
    ['imaging-monitor --quiet --websocket wss://example.org/nodes', 'keep a web page informed'],
  ],
});
