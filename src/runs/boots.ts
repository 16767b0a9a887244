import { join } from 'node:path';
import { messageOf } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { isMoment } from '../util/json.js';
import { nodeRecords } from './node-records.js';
import { fail } from './failures.js';

/** When the system of each node was last ended, kept in `<dir>/nodes`: what lets a wait tell the new system from the old. */
export type BootRecords = {
  /** `atMs`: milliseconds since 1970, from before the verb was sent. */
  record(node: string, verb: string, atMs: number): Promise<void>;
  /** Milliseconds since 1970, the newest that we or root recorded in any of the folders, one from the future only when there is no other; null when no record is there. */
  last(node: string): Promise<number | null>;
  /** The same, whoever recorded it: enough to doubt that a node is as we left it, not enough to act upon. */
  lastByAnybody(node: string): Promise<number | null>;
};

/** `dir` is written; `others` are read as well, such as the system's own folder, where root's loads are recorded. */
export function bootRecords(
  dir: string,
  others: readonly string[],
  host: Pick<Host, 'uid' | 'login' | 'now' | 'monotonicMs'>,
): BootRecords {
  const records = nodeRecords(dir, others, '', host);
  const newest = (node: string, isGood: (believed: boolean) => boolean): number | null => {
    const times = records
      .all(node)
      .flatMap(({ value, believed }) => (isGood(believed) && isMoment(value.lastBootAt) ? [value.lastBootAt] : []));
    const past = times.filter((time) => time <= host.now());
    return times.length === 0 ? null : Math.max(...(past.length > 0 ? past : times));
  };
  return {
    record: async (node, verb, atMs) => {
      try {
        await records.write(node, { lastBootAt: atMs, verb, by: host.login() });
      } catch (error) {
        throw fail(
          'no-boot-record',
          `cannot record in ${join(dir, 'nodes')} that the system of ${node} was ended: ${messageOf(error)}`,
          'set runs.dir to a folder you may write',
          { cause: error },
        );
      }
    },
    last: async (node) => newest(node, (believed) => believed),
    lastByAnybody: async (node) => newest(node, () => true),
  };
}
