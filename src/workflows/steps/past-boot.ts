import type { Host } from '../../util/host.js';
import type { NodeRun } from '../node-steps.js';

/**
 * When a node's system was last ended, or null when that cannot be believed: a record from the future was made while the
 * clock was ahead, and every system there is would be older.
 */
export function pastBoot(node: NodeRun, lastBoot: number | null): number | null {
  if (lastBoot === null || !isFuture(node.host, lastBoot)) return lastBoot;
  node.warn(
    `its last reset is recorded ${ahead(lastBoot - node.host.now())} in the future: the clock was ahead then, or is behind now; the record is ignored, so an old system may pass for the new one`,
  );
  return null;
}

/** Whether a time of a record lies so far ahead that the clock must have been set back since. */
export function isFuture(host: Pick<Host, 'now'>, atMs: number): boolean {
  return atMs - host.now() > FUTURE_SLACK_MS;
}

/** Clocks of two gateways may differ a little; such a record is past soon. */
const FUTURE_SLACK_MS = 5_000;

function ahead(ms: number): string {
  return ms < 120_000
    ? `${Math.round(ms / 1000)} s`
    : ms < 7_200_000
      ? `${Math.round(ms / 60_000)} min`
      : `${Math.round(ms / 3_600_000)} h`;
}
