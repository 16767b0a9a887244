import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import { lastLine, parseStamp, type ImageStamp } from '../images/stamp.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { BootRecords } from '../runs/boots.js';
import type { ImageRecord, ImageRecords } from '../runs/images.js';
import { Failure } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { fanOut, type NodeRun } from '../engine/fan-out.js';
import { STAMP_PATHS } from './steps/load-checks.js';
import { isFuture, pastBoot } from './steps/past-boot.js';
import { askSystem, type SshWaitOptions } from './wait.js';
import { fail } from './failures.js';

/** Which image a node runs, or has on its disk, and how that is known. */
export type WhichAnswer = {
  /** The name of the image; a stamp that is not of the usual form counts as one. */
  image: string;
  /** `stamp`: the system that runs says so; `record`: it was the last that was loaded. */
  source: 'stamp' | 'record';
  /** What the stamp says; null without one. */
  saved: ImageStamp | null;
  /** The load that brought it; null when it came by another way, or is recorded elsewhere. */
  load: Pick<ImageRecord, 'run' | 'name' | 'path' | 'digest' | 'at' | 'by' | 'verify' | 'booted'> | null;
  /** Whether no reset and no power-off was sent since that load; null without one, or when the clock was wrong at one of the two. */
  cleanSince: boolean | null;
  /** Why the running system did not say it itself; null when it did. */
  why: string | null;
};

export type WhichTools = {
  host: Host;
  emit: Emit;
  signal: AbortSignal;
  images: Pick<ImageRecords, 'last'>;
  boots: Pick<BootRecords, 'lastByAnybody'>;
  onOutcome: (outcome: Outcome<unknown>) => void;
};
export type WhichPlan = Pick<SshWaitOptions, 'port' | 'username' | 'auth'> & {
  nodes: readonly InventoryNode[] /** For one node's login. */;
  timeoutMs: number;
};

/** Time for reading records, beside that for the login. */
const RECORDS_MS = 5_000;

/** Asks every node which image it runs; where none can be asked, what was last loaded there is the answer. */
export function executeWhich(plan: WhichPlan, tools: WhichTools): Promise<Outcome<WhichAnswer>[]> {
  const options = {
    concurrency: plan.nodes.length,
    nodeDeadlineMs: plan.timeoutMs + RECORDS_MS,
    firstStep: 'ssh',
    describe: describeAnswer,
    ...tools,
  } as const;
  return fanOut(plan.nodes, options, (node) => whichImage(node, plan, tools));
}

async function whichImage(node: NodeRun, plan: WhichPlan, { images, boots }: WhichTools): Promise<WhichAnswer> {
  const { line, why } = await ask(node, plan);
  const [record, lastBootAt] = await Promise.all([images.last(node.name), boots.lastByAnybody(node.name)]);
  const { load, cleanSince } = loadOf(record, lastBootAt, pastBoot(node, lastBootAt), node.host);
  if (line !== null) {
    const saved = parseStamp(line);
    const image = saved?.image ?? line;
    const isLoads =
      record !== null && (record.stamp === null ? record.name === image || (record.booted && cleanSince === true) : record.stamp === line);
    return { image, source: 'stamp', saved, load: isLoads ? load : null, cleanSince: isLoads ? cleanSince : null, why };
  }
  if (record !== null && load !== null)
    return { image: record.name, source: 'record', saved: record.stamp === null ? null : parseStamp(record.stamp), load, cleanSince, why };
  const known =
    record === null
      ? 'no load onto it is recorded'
      : `a load of ${record.name} (run ${record.run} of ${record.by}) began ${minute(record.at)} and did not end well`;
  throw fail(
    'unknown-image',
    `${node.name}: ${why ?? 'no stamp'}; ${known}`,
    'is it on (imaging-status)? may you log in? other users keep records of their loads in folders of their own',
  );
}

/** The stamp's last line, or why there is none. */
async function ask(node: NodeRun, plan: WhichPlan): Promise<{ line: string | null; why: string | null }> {
  try {
    const { boot, text } = await node.at('ssh', plan.timeoutMs, (signal) => askSystem(node, plan, STAMP_PATHS, signal));
    const line = lastLine(text);
    if (line !== null) return { line, why: null };
    return {
      line,
      why: boot === null ? 'its system is not Linux and does not say' : `its system has none of ${STAMP_PATHS.join(' and ')}`,
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { line: null, why: error.message.replace(`${node.name}: `, '') };
  }
}

/** `believed`: null where the record of the last reset is not, though there is one. */
function loadOf(
  record: ImageRecord | null,
  lastBootAt: number | null,
  believed: number | null,
  host: Host,
): Pick<WhichAnswer, 'load' | 'cleanSince'> {
  if (record?.state !== 'written') return { load: null, cleanSince: null };
  const { run, name, path, digest, at, by, verify, booted } = record;
  return {
    load: { run, name, path, digest, at, by, verify, booted },
    cleanSince: lastBootAt !== believed || isFuture(host, at) ? null : believed === null || believed <= at,
  };
}

/** `fedora-21 (saved 2026-11-21 by alice, load run R)`; `fedora-21 (on its disk: loaded 2026-11-26 09:15 by bob, run R, read back; ssh ... refused the connection)`. */
export function describeAnswer({ image, source, saved, load, cleanSince, why }: WhichAnswer): string {
  if (source === 'stamp') {
    const parts = [...(saved ? [`saved ${saved.savedAt.slice(0, 10)} by ${saved.by}`] : []), ...(load ? [`load run ${load.run}`] : [])];
    return parts.length > 0 ? `${image} (${parts.join(', ')})` : image;
  }
  const parts = load
    ? [
        `loaded ${minute(load.at)} by ${load.by}`,
        `run ${load.run}`,
        load.verify === 'none' ? 'not read back' : 'read back',
        ...(cleanSince === false ? ['reset or switched off since'] : []),
      ]
    : [];
  return `${image} (on its disk: ${parts.join(', ')}${why === null ? '' : `; ${why}`})`;
}

/** `2026-11-26 09:15`, local time. */
function minute(atMs: number): string {
  return new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace('T', ' ');
}
