import type { Config } from '../../config/config.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { leaseState, type Lease } from '../../leases/lease.js';
import { formatMoment } from '../../leases/moment.js';
import { grantedUntil, noLease, RECENT_MS } from '../../leases/verdict.js';
import { fold } from '../../nodes/names.js';
import { checkKnown, emptySelection } from '../../nodes/select.js';
import { say } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { namesOf, selection, setsOf } from '../../app/site.js';
import { withLeases, type LeaseContext } from './context.js';
import { leasesSpec } from './leases.spec.js';

const takes = ['json'] as const;
type CheckArguments = ArgumentsOf<typeof leasesSpec, (typeof takes)[number]>;

/** Says whether one may act on nodes now: on those named, else on those of NODES, else on any at all. */
export const check = action(leasesSpec, { words: '[node ...]', minWords: 0, maxWords: Infinity, options: takes, run });

/** `until` in milliseconds since 1970; null without a lease. */
type Verdict = { node: string; number: number; untilMs: number | null; reason: string | null };

/** What `check --json` prints; `until` in ISO 8601, null without a lease. */
export type LeaseCheckReport = {
  ok: boolean;
  owner: string;
  message: string;
  nodes: { node: string; ok: boolean; until: string | null; reason: string | null }[];
};

function run({ words, options }: CheckArguments, context: CommandContext): Promise<number> {
  const answer = (ok: boolean, owner: string, message: string | readonly string[], nodes: readonly Verdict[] = []): number => {
    const lines = typeof message === 'string' ? [message] : message;
    const shown = nodes.map(({ node, untilMs, reason }) => ({
      node,
      ok: untilMs !== null,
      until: untilMs === null ? null : new Date(untilMs).toISOString(),
      reason,
    }));
    if (options.json) writeJson(context, { ok, owner, message: lines.join('\n'), nodes: shown } satisfies LeaseCheckReport);
    else say(context.stdout, ...lines);
    return ok ? exitCodes.ok : exitCodes.someFailed;
  };
  const none = (): number => answer(true, context.host.login(), 'no lease is needed here: leases.backend is none');
  return withLeases(
    context,
    async (leases) => {
      const { login, config, privileged } = leases;
      const asked = await nodesAsked(words, config, context);
      if (privileged) return answer(true, login, `${login} is privileged and needs no lease`);
      const nowMs = context.host.now();
      const { leases: found } = await leases.backend.list(nowMs - RECENT_MS, context.signal);
      if (asked === null) return anyLease(found, leases, nowMs, answer);
      const verdicts = asked.map(({ node, number }): Verdict => {
        const untilMs = grantedUntil(found, login, node, nowMs);
        return { node, number, untilMs, reason: untilMs === null ? noLease(found, login, node, nowMs).message : null };
      });
      const refused = verdicts.filter(({ untilMs }) => untilMs === null);
      return answer(refused.length === 0, login, verdictText(verdicts, refused, login, nowMs), verdicts);
    },
    none,
  );
}

/** Null when nothing says which nodes. */
async function nodesAsked(
  words: readonly string[],
  config: Config,
  context: CommandContext,
): Promise<{ node: string; number: number }[] | null> {
  if (words.length === 0 && !context.host.env.NODES?.trim()) return null;
  const selected = selection({ words, allNodes: false }, config, context.host, await setsOf(config, context));
  const inventory = await loadInventory(config.testbed.inventoryPath, namesOf(config));
  checkKnown(selected, inventory.numbers, namesOf(config));
  const nodes = selected.numbers.flatMap((number) => inventory.byNumber(number) ?? []);
  if (nodes.length === 0) throw emptySelection(selected, namesOf(config));
  return nodes.map(({ name, number }) => ({ node: name, number }));
}

function anyLease(
  found: readonly Lease[],
  { login }: LeaseContext,
  nowMs: number,
  answer: (ok: boolean, owner: string, message: string) => number,
): number {
  const running = found.filter((lease) => leaseState(lease, nowMs) === 'running');
  const own = running.filter((lease) => lease.owner === login);
  if (own.length > 0)
    return answer(true, login, `${login} has a lease until ${formatMoment(Math.max(...own.map((lease) => lease.untilMs)), nowMs)}`);
  const others = running.map((lease) => `${lease.owner} has one until ${formatMoment(lease.untilMs, nowMs)}`);
  return answer(false, login, [`${login} has no lease now`, ...others].join('; '));
}

/** One line when all is well, else one for each node that is refused. */
function verdictText(verdicts: readonly Verdict[], refused: readonly Verdict[], login: string, nowMs: number): string | string[] {
  if (refused.length > 0) return refused.map(({ reason }) => reason ?? '');
  const firstEndMs = Math.min(...verdicts.map(({ untilMs }) => untilMs ?? Infinity));
  return `${login} has a lease on ${fold(verdicts.map(({ number }) => number))} until ${formatMoment(firstEndMs, nowMs)}`;
}
