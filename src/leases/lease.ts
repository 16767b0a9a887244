/** A time during which somebody has nodes for himself: from `fromMs` on, up to but not at `untilMs` (milliseconds since 1970). */
export type Lease = {
  /** What the backend calls it. */
  id: string;
  /** A login; backends that know slices use logins as their names. */
  owner: string;
  fromMs: number;
  untilMs: number;
  /** Control host names (`fit07`); null is the whole testbed. */
  nodes: readonly string[] | null;
};

export type LeaseState = 'past' | 'running' | 'future';

export function leaseState(lease: Lease, nowMs: number): LeaseState {
  if (nowMs >= lease.untilMs) return 'past';
  return nowMs >= lease.fromMs ? 'running' : 'future';
}

export function holdsNode(lease: Pick<Lease, 'nodes'>, node: string): boolean {
  return lease.nodes === null || lease.nodes.includes(node);
}

/** Whether two leases want the same node at the same time; one may begin at the moment the other ends. */
export function overlap(one: Omit<Lease, 'id' | 'owner'>, other: Omit<Lease, 'id' | 'owner'>): boolean {
  if (one.fromMs >= other.untilMs || other.fromMs >= one.untilMs) return false;
  if (one.nodes === null) return other.nodes === null || other.nodes.length > 0;
  return one.nodes.some((node) => holdsNode(other, node));
}

/** By beginning, then by identity: the order in which leases are listed. */
export function byTime(one: Lease, other: Lease): number {
  return one.fromMs - other.fromMs || one.untilMs - other.untilMs || (one.id < other.id ? -1 : 1);
}
