import { leaseState, type Lease, type LeaseState } from '../../leases/lease.js';
import { formatFull } from '../../leases/moment.js';
import { printable } from '../../util/text.js';
import { say } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { leaseJson, nodesText, withLeases, type LeaseContext } from './context.js';
import { leasesSpec } from './leases.spec.js';

const takes = ['all', 'json'] as const;
type ListArguments = ArgumentsOf<typeof leasesSpec, (typeof takes)[number]>;

/** Shows the leases that run or are to come; with --all, those that have ended, too. */
export const list = action(leasesSpec, { words: '', minWords: 0, maxWords: 0, options: takes, run });

const STATES: Readonly<Record<LeaseState, string>> = { past: 'past', running: 'now', future: 'next' };

function run({ options }: ListArguments, context: CommandContext): Promise<number> {
  return withLeases(context, async (leases) => {
    const nowMs = context.host.now();
    const found = await leases.backend.list(options.all ? 0 : nowMs, context.signal);
    if (found.unreadable > 0)
      say(context.stderr, `imaging: warning: ${found.unreadable} entries of ${leases.backend.where} make no sense and are left out`);
    if (options.json)
      writeJson(
        context,
        found.leases.map((lease) => leaseJson(lease, nowMs, leases.login)),
      );
    else if (found.leases.length === 0) say(context.stdout, `no leases${options.all ? '' : ', now or later'}`);
    else say(context.stdout, ...tableOf(found.leases, nowMs, leases));
    return exitCodes.ok;
  });
}

/** `* now   12  2026-11-26 14:00 CET  2026-11-26 15:00 CET  alice  1-12`; a star is before one's own. */
function tableOf(leases: readonly Lease[], nowMs: number, { login, config }: LeaseContext): string[] {
  const rows = leases.map((lease) => [
    lease.owner === login ? '*' : ' ',
    STATES[leaseState(lease, nowMs)],
    ...[lease.id, formatFull(lease.fromMs), formatFull(lease.untilMs), lease.owner, nodesText(lease, config)].map(printable),
  ]);
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, index) => Math.max(cell.length, most[index] ?? 0)), []);
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
