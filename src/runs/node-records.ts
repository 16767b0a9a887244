import { join } from 'node:path';
import { messageOf } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { isMoment, isObject, isText } from '../util/json.js';
import { nodeRecords } from './node-files.js';
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

/** What was last loaded onto a node, or is being loaded. */
export type ImageRecord = {
  /** `writing`: its disk may hold anything until the same run has said `written`. */
  state: 'writing' | 'written';
  /** The image's name, and its file on the gateway. */
  name: string;
  path: string;
  /** `sha256:` and the SHA-256 of the image file in hex; null when it is not known. */
  digest: string | null;
  run: string;
  by: string;
  /** When the record was made, milliseconds since 1970: for `written`, when the node was done and had been reset into its disk. */
  at: number;
  /** How much of it was read back. */
  verify: 'none' | 'sample' | 'full';
  /** Whether the node was booted into it; else it was left in the PXE system. */
  booted: boolean;
  /** The last line of the image's own stamp, or null when it has none that could be read. */
  stamp: string | null;
};

/** A record with whose it is: `by` is the owner of its file. */
export type FoundImage = ImageRecord & {
  /** Whether we or root wrote it; somebody else's may make us careful, never bold. */ believed: boolean;
};

/** What was last loaded onto each node, kept in `<dir>/nodes`. */
export type ImageRecords = {
  /** Rejects with a Failure `no-image-record`. */
  record(node: string, record: ImageRecord): Promise<void>;
  /** The newest that anybody has made in any of the folders; null when none is there. Those from the future, before a clock was set back, count for nothing. */
  last(node: string): Promise<FoundImage | null>;
};

/** `dir` is written; `others` are read as well, such as the system's own folder, where root's loads are recorded. */
export function imageRecords(dir: string, others: readonly string[], host: Pick<Host, 'uid' | 'now' | 'monotonicMs'>): ImageRecords {
  const records = nodeRecords(dir, others, '.image', host);
  return {
    record: async (node, record) => {
      try {
        await records.write(node, record);
      } catch (error) {
        throw fail(
          'no-image-record',
          `cannot record in ${join(dir, 'nodes')} what is loaded onto ${node}: ${messageOf(error)}`,
          'set runs.dir to a folder you may write',
          { cause: error },
        );
      }
    },
    last: async (node) => {
      const found = records
        .all(node)
        .flatMap(({ value, login, believed }) => (isRecord(value) && value.at <= host.now() ? [{ ...value, by: login, believed }] : []));
      return found.reduce<FoundImage | null>((newest, record) => (newest === null || record.at > newest.at ? record : newest), null);
    },
  };
}

/** An image that was read back from a node's disk after it was written. */
export type VerifiedImage = {
  digest: string;
  verifiedAt: number;
  verify: 'sample' | 'full';
  /**
   * No reset and no power-off has been sent since (by whoever records where we read), so the system that runs is the one
   * that the load booted. What that system has written to its disk meanwhile, nobody here knows.
   */
  cleanSince: boolean;
};

/**
 * What a node's disk is known to hold, or null: never loaded, being loaded, a load that did not end well, not read back, or
 * loaded last by somebody whose records are not to be believed.
 */
export async function verifiedImage(
  node: string,
  images: Pick<ImageRecords, 'last'>,
  boots: Pick<BootRecords, 'lastByAnybody'>,
): Promise<VerifiedImage | null> {
  const [record, lastBootAt] = await Promise.all([images.last(node), boots.lastByAnybody(node)]);
  if (record?.believed !== true || record.state !== 'written' || record.verify === 'none' || record.digest === null) return null;
  return {
    digest: record.digest,
    verifiedAt: record.at,
    verify: record.verify,
    cleanSince: lastBootAt === null || lastBootAt <= record.at,
  };
}

function isRecord(value: unknown): value is ImageRecord {
  if (!isObject(value)) return false;
  const isTextOrNull = (field: unknown): boolean => field === null || isText(field);
  return (
    ['writing', 'written'].includes(String(value.state)) &&
    ['none', 'sample', 'full'].includes(String(value.verify)) &&
    [value.name, value.path, value.run, value.by].every(isText) &&
    [value.digest, value.stamp].every(isTextOrNull) &&
    isMoment(value.at) &&
    typeof value.booted === 'boolean'
  );
}
