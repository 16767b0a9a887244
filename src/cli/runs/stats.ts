import { formatDuration } from '../../monitor/format.js';
import { readHealth, type NodeHealth } from '../../runs/health.js';
import { say, sayJson } from '../../util/say.js';
import { exitCodes } from '../kit/exit.js';
import { columns, localTime, nodeNamesOf, runsAction } from './action.js';

/** How healthy nodes are, those that fail most first. */
export const stats = runsAction({
  words: '[node ...]',
  minWords: 0,
  maxWords: Infinity,
  options: ['json'],
  run: async ({ words, options }, context, site) => {
    const wanted = words.length === 0 ? null : new Set(nodeNamesOf(words, site));
    const health = readHealth(site.dir, site.config.nodes.quarantineAfter).filter(({ node }) => wanted?.has(node) ?? true);
    if (options.json) sayJson(context.stdout, health, 2);
    else if (health.length === 0) say(context.stdout, `nothing is known of ${wanted === null ? 'any node' : 'these nodes'} yet`);
    else
      say(context.stdout, ...columns([['node', 'runs', 'last 20', 'state', 'last fine', 'failures', 'median times'], ...health.map(row)]));
    return exitCodes.ok;
  },
});

function row(node: NodeHealth): string[] {
  const failures = node.failures.map(({ step, code, count }) => `${count} x ${step} [${code}]`).join(', ');
  const times = Object.entries(node.medianMs)
    .map(([step, ms]) => `${step} ${formatDuration(ms)}`)
    .join(', ');
  const { runs, failed } = node.recent;
  return [
    node.node,
    String(node.runs),
    `${failed} of ${runs} failed`,
    stateOf(node),
    node.lastOkAt === null ? 'never' : localTime(node.lastOkAt),
    failures === '' ? '-' : failures,
    times,
  ];
}

function stateOf({ isQuarantined, isFlaky, recent, failedInARow }: NodeHealth): string {
  if (isQuarantined) return `quarantined (${failedInARow} in a row)`;
  if (isFlaky) return 'flaky';
  return recent.failed > 0 && recent.failed === recent.runs ? 'failing' : 'ok';
}
