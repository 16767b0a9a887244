import type { Outcome } from '../events/outcome.js';
import type { WhichAnswer, WhichResult } from '../events/results.js';
import type { Emit } from '../events/types.js';
import { lastLine, parseStamp } from '../images/stamp.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { BootRecords } from '../runs/boots.js';
import type { ImageRecord, ImageRecords } from '../runs/images.js';
import { Failure } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { fanOut } from '../engine/fan-out.js';
import type { NodeRun } from './node-steps.js';
import { STAMP_PATHS } from './steps/load-checks.js';
import { isFuture, pastBoot } from './steps/past-boot.js';
import { askSystem, type SshWaitOptions } from './wait.js';
import { fail } from './failures.js';

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
    targetDeadlineMs: plan.timeoutMs + RECORDS_MS,
    firstStep: 'ssh',
    result: (answer: WhichAnswer): WhichResult => ({ type: 'which', ...answer }),
    ...tools,
  } as const;
  return fanOut(plan.nodes, options, (node: NodeRun) => whichImage(node, plan, tools));
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

/** `2026-11-26 09:15`, local time. */
function minute(atMs: number): string {
  return new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace('T', ' ');
}
