import { formatMoment } from '../../leases/moment.js';
import { parseWhen } from '../../leases/when.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { checkKnown, emptySelection, selectNodes } from '../../nodes/select.js';
import { UserError } from '../../util/errors.js';
import { say } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { namesOf } from '../../app/site.js';
import { leaseJson, nodesText, withLeases, type LeaseContext } from './context.js';
import { leasesSpec } from './leases.spec.js';

const takes = ['nodes', 'slice', 'json'] as const;
type BookArguments = ArgumentsOf<typeof leasesSpec, (typeof takes)[number]>;

/** Books the testbed, or with the local backend some of its nodes. */
export const book = action(leasesSpec, { words: 'FROM UNTIL', minWords: 2, maxWords: 2, options: takes, run });

function run({ words, options }: BookArguments, context: CommandContext): Promise<number> {
  return withLeases(context, async (leases) => {
    const nowMs = context.host.now();
    const { fromMs, untilMs } = times(words, nowMs);
    const lease = await leases.backend.book(
      { owner: ownerOf(options.slice, leases), fromMs, untilMs, nodes: await nodesOf(options.nodes, leases) },
      context.signal,
    );
    if (options.json) writeJson(context, leaseJson(lease, nowMs, leases.login));
    else
      say(
        context.stdout,
        `booked: ${nodesText(lease, leases.config)} for ${lease.owner}, from ${formatMoment(lease.fromMs, nowMs)} until ${formatMoment(lease.untilMs, nowMs)} (lease ${lease.id})`,
      );
    return exitCodes.ok;
  });
}

function times([from = '', until = '']: readonly string[], nowMs: number): { fromMs: number; untilMs: number } {
  const fromMs = parseWhen(from, { nowMs });
  const untilMs = parseWhen(until, { nowMs, baseMs: fromMs, afterMs: fromMs });
  if (untilMs <= fromMs)
    throw new UserError(
      'usage',
      `a lease from ${formatMoment(fromMs, nowMs)} until ${formatMoment(untilMs, nowMs)} ends before it begins`,
      'say +2h, or the day: 27T14:30',
    );
  if (untilMs <= nowMs)
    throw new UserError('usage', `${formatMoment(untilMs, nowMs)} is past`, 'another day is said like 27T14:30, or 12-10T14:30');
  return { fromMs, untilMs };
}

/** The file of the local backend knows no accounts: who may book for whom is up to us. */
function ownerOf(slice: string | undefined, { config, login, privileged }: LeaseContext): string {
  const owner = slice ?? login;
  if (!/^[\w.@+-]+$/.test(owner)) throw new UserError('usage', `--slice ${JSON.stringify(owner)} is no login`);
  if (config.leases.backend !== 'local' || owner === login || privileged) return owner;
  throw new UserError(
    'refused',
    `--slice ${owner}: ${login} may book for ${login} only`,
    'leases.privileged in the configuration lists who may book for others',
  );
}

async function nodesOf(spec: string | undefined, { config }: LeaseContext): Promise<readonly string[] | null> {
  if (spec === undefined) return null;
  if (config.leases.backend !== 'local')
    throw new UserError('usage', `--nodes: with leases.backend = ${config.leases.backend} a lease is on the whole testbed`, 'leave it out');
  const names = namesOf(config);
  const selection = selectNodes({
    args: spec.split(/\s+/).filter((word) => word !== ''),
    allNodes: false,
    env: {},
    allScope: config.testbed.allScope,
    names,
  });
  const inventory = await loadInventory(config.testbed.inventoryPath, names);
  checkKnown(selection, inventory.numbers, names);
  if (selection.numbers.length === 0) throw emptySelection(selection, names);
  return selection.numbers.flatMap((number) => inventory.byNumber(number)?.name ?? []);
}
