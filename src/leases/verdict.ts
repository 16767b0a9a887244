import type { Failure } from '../util/errors.js';
import { holdsNode, leaseState, type Lease } from './lease.js';
import { formatMoment } from './moment.js';
import { fail } from './failures.js';

const HINT = "'imaging-leases list' shows who has what when; book a lease, or extend yours";

/** Until when the owner has a lease on the node that runs now, milliseconds since 1970; null when there is none. */
export function grantedUntil(leases: readonly Lease[], owner: string, node: string, nowMs: number): number | null {
  const running = leases.filter((lease) => lease.owner === owner && leaseState(lease, nowMs) === 'running' && holdsNode(lease, node));
  return running.length === 0 ? null : Math.max(...running.map((lease) => lease.untilMs));
}

/** How long before now a lease may have ended that is still worth telling about. */
export const RECENT_MS = 86_400_000;

/** Says what would have been needed: who has the node, when the own lease ended, when the next one begins. */
export function noLease(leases: readonly Lease[], owner: string, node: string, nowMs: number): Failure {
  const onNode = leases.filter((lease) => holdsNode(lease, node));
  const own = onNode.filter((lease) => lease.owner === owner);
  const ended = own.filter((lease) => leaseState(lease, nowMs) === 'past').sort((one, other) => other.untilMs - one.untilMs)[0];
  const next = own.find((lease) => leaseState(lease, nowMs) === 'future');
  const holder = onNode.find((lease) => lease.owner !== owner && leaseState(lease, nowMs) === 'running');
  const facts = [
    ...(ended ? [`the last one ended at ${formatMoment(ended.untilMs, nowMs)}`] : []),
    ...(holder ? [`${holder.owner} holds it until ${formatMoment(holder.untilMs, nowMs)}`] : []),
    ...(next ? [`the next one begins at ${formatMoment(next.fromMs, nowMs)}`] : []),
  ];
  return fail('no-lease', `${owner} has no lease on ${node} now${facts.length > 0 ? `: ${facts.join(', ')}` : ''}`, HINT);
}
