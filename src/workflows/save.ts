import { rm } from 'node:fs/promises';
import type { Outcome } from '../events/outcome.js';
import type { SavedResult } from '../events/results.js';
import type { Emit } from '../events/types.js';
import { partialPath } from '../images/saved.js';
import { stampLine } from '../images/stamp.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { ImageRecords } from '../runs/images.js';
import type { TelnetSession } from '../telnet/session.js';
import { withDeadline } from '../util/abort.js';
import type { Failure } from '../util/errors.js';
import { inAttempts, type RetryPlan } from '../engine/attempts.js';
import { openCollector, type Collected } from './steps/collector.js';
import { fanOut } from '../engine/fan-out.js';
import type { NodeRun } from './node-steps.js';
import { holding } from './steps/hold.js';
import { doubtOfDisk, refusal, type DiskDoubt } from './steps/disk-doubt.js';
import { keepImage, type Kept, type Origin } from './steps/keep-image.js';
import { mayAct } from './steps/may-act.js';
import { inRamdisk, type RamdiskPlan, type RamdiskTools } from './steps/ramdisk.js';
import { stampRoot, type StampPlace, type StampResult } from './steps/stamp-root.js';
import { fail } from './failures.js';

/** What holds for one node, which may differ from the others. */
export type SaveSettings = RamdiskPlan & { stallMs: number };

/** Everything a save needs to know. Times in milliseconds. */
export type SavePlan = RetryPlan & {
  settings: (node: string) => SaveSettings;
  nodes: readonly InventoryNode[];
  /** Where each node's image goes, and the next place when something has that name (`nth` from 1); nothing has it until the image is whole and checked. */
  pathOf: (node: string, nth: number) => string;
  /** What the person calls the image, who that is, what they say about it, and on which machine. */
  name: string;
  by: string;
  comment: string | null;
  gateway: string;
  savedAtMs: number;
  /** Also disks that our records call half-written or not read back: their images bear a mark. */
  force: boolean;
  /** Null: nothing is written on nodes. */
  stamp: StampPlace | null;
  /** Size of the last image of each node that has one here: the only hint at how much is to come. */
  lastBytes: ReadonlyMap<string, number>;
  localIp: string;
  /** For a node's whole way, all attempts together; Infinity: as long as its attempts may take. */
  nodeDeadlineMs: number;
  /** The ramdisk's programs. */
  imagezip: string;
  netcat: string;
};

export type SaveTools = RamdiskTools & {
  emit: Emit;
  images: Pick<ImageRecords, 'last'> /** A soft interrupt: images that are being read are brought to their end, nothing else. */;
  finishing?: AbortSignal;
};

/** `warnings`: what did not go as wished, though the image is good. */
export type SavedImage = Kept & { bytes: number; warnings: string[] };

const PROGRESS_EVERY_MS = 250;
const STAMP_DEADLINE_MS = 60_000;

/**
 * Saves the disks of the plan's nodes, each into a file of its own: lock, link, reset, telnet up, stamp, imagezip, check,
 * reset. A disk that our records have something against fails at `lock`, untouched, unless the plan says `force`.
 */
export async function executeSave(plan: SavePlan, tools: SaveTools): Promise<Outcome<SavedImage>[]> {
  const options = {
    concurrency: plan.nodes.length,
    targetDeadlineMs: plan.nodeDeadlineMs,
    firstStep: 'lock',
    result: ({ path, bytes, sha256 }: SavedImage): SavedResult => ({ type: 'saved', path, bytes, sha256 }),
    remarks: ({ warnings }: SavedImage) => warnings,
    ...tools,
  } as const;
  const saved = new Map<string, string>();
  const outcomes = await fanOut(plan.nodes, options, (node: NodeRun) =>
    holding(node, tools, async (held) => {
      const doubt = await doubtOfDisk(node.name, tools.images); // only now: while it was somebody else's, it was being written
      if (doubt !== null && !plan.force) throw refusal(node.name, doubt);
      return inAttempts(
        held,
        plan,
        () => !saved.has(node.name) && !node.isFinishing,
        (tried, attempt) =>
          inRamdisk(
            tried,
            plan.settings(node.name),
            tools,
            (telnet) => {
              tried.mustFinish();
              return saveNode(tried, { plan, tools, telnet, doubt, onKept: (path) => void saved.set(node.name, path) });
            },
            attempt,
          ).catch((error: unknown) => {
            if (!tried.isFinishing) tried.mayStop();
            throw error;
          }),
      );
    }),
  );
  for (const { ok, target } of outcomes) {
    const path = ok ? undefined : saved.get(target);
    if (path !== undefined) tools.emit({ type: 'run.warning', text: `${target}: its image is whole all the same: ${path}` });
  }
  return outcomes;
}

/** One node in the ramdisk, about to be read. */
type Saving = {
  plan: SavePlan;
  tools: SaveTools;
  telnet: TelnetSession;
  doubt: DiskDoubt | null /** The image has its name; also when nobody waits for it any more. */;
  onKept: (path: string) => void;
};

async function saveNode(node: NodeRun, { plan, tools, telnet, doubt, onKept }: Saving): Promise<SavedImage> {
  const stamp = await stampNode(node, plan, tools, telnet);
  const partial = partialPath(plan.pathOf(node.name, 1));
  let working: Promise<unknown> = Promise.resolve();
  const discard = tools.undo.push(`removing ${partial}`, async () => {
    await working.catch(() => {}); // an interrupt does not wait for it, and nothing must appear after its removal
    await rm(partial, { force: true });
  });
  try {
    const collected = await node.at('read', Infinity, (signal) => {
      const collection = collect(node, plan, telnet, partial, signal);
      working = collection;
      return collection;
    });
    const kept = await node.at('check', Infinity, (signal) => {
      const keeping = keepImage(partial, (nth) => plan.pathOf(node.name, nth), originOf(node, plan, stamp, doubt), collected, signal);
      working = keeping.then(
        ({ path }) => onKept(path),
        () => undefined,
      );
      return keeping;
    });
    const warnings = [
      ...(doubt === null ? [] : [`saved all the same, with the mark '${doubt.mark}': ${doubt.why}`]),
      ...(stamp?.problem ? [`not stamped: ${stamp.problem}`] : []),
      ...kept.warnings,
    ];
    for (const text of warnings) tools.emit({ type: 'run.warning', text: `${node.name}: ${text}` });
    return { ...kept, bytes: collected.bytes, warnings };
  } finally {
    await discard();
  }
}

async function stampNode(node: NodeRun, plan: SavePlan, tools: SaveTools, telnet: TelnetSession): Promise<StampResult | null> {
  const { stamp: place, savedAtMs, name: image, by, comment } = plan;
  if (place === null) return null;
  const lineFor = (base: string | null): string => stampLine({ savedAtMs, node: node.name, image, by, base, comment });
  return node.at('stamp', STAMP_DEADLINE_MS, async (signal) => {
    await mayAct(node, tools, signal);
    return stampRoot(telnet, { node: node.name, place, lineFor, signal, silenceTimeoutMs: plan.settings(node.name).stallMs });
  });
}

function originOf(
  node: NodeRun,
  { name: image, by, comment, gateway, savedAtMs }: SavePlan,
  stamp: StampResult | null,
  doubt: DiskDoubt | null,
): Origin {
  return {
    image,
    node: node.name,
    by,
    gateway,
    savedAt: new Date(savedAtMs).toISOString(),
    comment,
    base: stamp?.base ?? null,
    stamp: stamp?.line ?? null,
    disk: doubt?.mark ?? null,
    notStamped: stamp?.problem ?? null,
  };
}

async function collect(node: NodeRun, plan: SavePlan, telnet: TelnetSession, partial: string, signal: AbortSignal): Promise<Collected> {
  const { localIp } = plan;
  const { stallMs, hardDrive } = plan.settings(node.name);
  const lastBytes = plan.lastBytes.get(node.name);
  if (lastBytes !== undefined) node.note(`its last image here has ${(lastBytes / 1e6).toFixed(1)} MB`);
  let lastWords = '';
  let missing: string | null = null;
  const collector = await openCollector({ localIp, nodeIp: node.target.control.ip, path: partial, signal, onBytes: sparingly(node) });
  try {
    // a pipe's status is its last program's: imagezip's own goes around it, through file descriptor 3
    const command = `[ "$( { { ${plan.imagezip} -o -z1 ${hardDrive} - ; echo $? >&3 ; } | ${plan.netcat} ${localIp} ${collector.port} >/dev/null ; } 3>&1 )" = 0 ]`;
    const onLine = (line: string): void => {
      if (line.trim() !== '') lastWords = line.trim();
      missing ??= missingProgram(line, [plan.imagezip, plan.netcat]);
    };
    const { status } = await Promise.race([telnet.run(command, { signal, onLine, silenceTimeoutMs: stallMs }), collector.failed]);
    if (status !== 0 && missing !== null)
      throw fail(
        'no-such-program',
        `the PXE system of ${node.name} has no program ${missing}; its shell says ${JSON.stringify(lastWords.slice(0, 200))}`,
        'add it to the PXE system; see frisbee.imagezip and frisbee.netcat in the configuration',
      );
    if (status !== 0)
      throw fail(
        'imagezip-failed',
        `imagezip on ${node.name} failed; its last words: ${JSON.stringify(lastWords.slice(0, 200))}`,
        "the node's log has its whole output",
      );
    const late = (): Failure =>
      fail(
        'collect-failed',
        `imagezip on ${node.name} is done, and ${plan.netcat} has not connected to ${localIp}:${collector.port}; last words: ${JSON.stringify(lastWords.slice(0, 200))}`,
        `does the ramdisk have ${plan.netcat}?`,
      );
    await withDeadline(signal, stallMs, late, () => collector.connected);
    const collected = await collector.received;
    node.progress(collected.bytes, 0);
    return collected;
  } finally {
    await collector.close();
  }
}

/** Which of the programs a shell says that it cannot find (`sh: nc: not found`); null when the line says something else. */
function missingProgram(line: string, programs: readonly string[]): string | null {
  const name = /(?:^|\s)(\S+): (?:(?:command )?not found|No such file or directory)\s*$/.exec(line)?.[1];
  return programs.find((program) => program === name) ?? null;
}

/** Tells the bytes that have come a few times a second: every event is kept in the run's journal. */
function sparingly(node: NodeRun): (total: number) => void {
  let lastMs = -Infinity;
  return (total) => {
    const nowMs = node.host.monotonicMs();
    if (nowMs - lastMs < PROGRESS_EVERY_MS) return;
    lastMs = nowMs;
    node.progress(total, 0);
  };
}
