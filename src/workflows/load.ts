import type { Outcome } from '../events/outcome.js';
import type { LoadedResult, PresentResult, Verification } from '../events/results.js';
import type { Emit } from '../events/types.js';
import type { InventoryNode } from '../inventory/inventory.js';
import type { BootRecords } from '../runs/boots.js';
import { SECTOR_BYTES } from '../disk/sector.js';
import type { TelnetSession } from '../telnet/session.js';
import { UserError } from '../util/errors.js';
import { type Attempt, inAttempts, type RetryPlan } from '../engine/attempts.js';
import { clearEnd, wrongSectors } from './steps/clear-end.js';
import { fanOut } from '../engine/fan-out.js';
import type { NodeRun } from './node-steps.js';
import { holding } from './steps/hold.js';
import { alreadyThere } from './steps/if-needed.js';
import type { ImageSession } from './session/image-session.js';
import { LoadChecks, STAMP_PATHS, type ChecksTools } from './steps/load-checks.js';
import { mayAct } from './steps/may-act.js';
import { createQuorum } from '../engine/quorum.js';
import { inRamdisk, powerCycle, type RamdiskPlan, type RamdiskTools } from './steps/ramdisk.js';
import { verifyWrite, type VerifyMode } from './steps/verify-write.js';
import { waitForSystem, type SshWaitOptions } from './wait.js';
import { writeImage, type WriteOptions } from './steps/write-image.js';
import { fail } from './failures.js';
import { fail as engineFail } from '../engine/failures.js';

/** What holds for one node, which may differ from the others. Times in milliseconds. */
export type NodeSettings = RamdiskPlan & {
  /** Most the server sends it, bits per second; nodes with the same rate share a session. */
  rateBps: number;
  attemptDeadlineMs: number;
  /** From the last reset to ssh. */
  sshDeadlineMs: number;
  stallMs: number;
};

/** Everything a load needs to know; `--dry-run` prints it, `executeLoad` does exactly it. Times in milliseconds. */
export type LoadPlan = Pick<RetryPlan, 'passes' | 'pauseMs'> & {
  nodes: readonly InventoryNode[];
  image: {
    path: string;
    name: string;
    sizeBytes: number;
    chunkCount: number;
    diskBytes: number;
    effectiveBytes: number;
    actualBytes: number;
  };
  settings: (node: string) => NodeSettings;
  reset: boolean;
  verify: VerifyMode;
  untilSsh: boolean;
  /** Leave alone what has the image already; `trustStamp`: when the running system only says so. */
  ifNeeded: { trustStamp: boolean } | null;
  /** For a node's whole way, all attempts together; Infinity: as long as its attempts may take. */
  nodeDeadlineMs: number;
  /** So many good nodes are enough; null: all of them. */
  enough: number | null;
  /** The ramdisk's program. */
  frisbeeClient: string;
  /** Clear the last MiB of each disk as far as it lies behind the image. */
  clearEnd: boolean;
  /** The sectors that a disk must have for the image's partition table to be found there; null: any. */
  tableSectorBytes: number | null;
};

export type LoadTools = RamdiskTools &
  Pick<ChecksTools, 'run' | 'images'> & {
    emit: Emit;
    boots: Pick<BootRecords, 'lastByAnybody'>;
    wait: SshWaitOptions;
    openSession: (rateBps: number) => Promise<ImageSession>;
    onOutcome?: (outcome: Outcome<unknown>) => void;
    /** A soft interrupt: nodes that are being written are brought to their end, nothing else. */
    finishing?: AbortSignal;
  };

/**
 * Loads the plan's image onto its nodes, each on its own way: lock, link, reset, telnet up, unlink, frisbee, check, read back, reset.
 * A server starts with the first node that is ours, so a bad image costs no reset, and a run whose nodes are all in other
 * hands takes no slot; nodes join it as they come up, and again when they are tried again.
 */
export async function executeLoad(plan: LoadPlan, tools: LoadTools): Promise<Outcome<LoadedResult | PresentResult>[]> {
  const sessions = lazySessions(tools);
  const hardDrive = plan.nodes
    .map(({ name }) => plan.settings(name).hardDrive)
    .reduce((longest, path) => (path.length > longest.length ? path : longest), '');
  const checks = new LoadChecks({ ...plan, hardDrive }, tools);
  const quorum = createQuorum(plan.enough, tools.signal, tools.host.monotonicMs, { nouns: 'nodes', hint: 'load the rest later' });
  try {
    const options = {
      ...tools,
      concurrency: plan.nodes.length,
      targetDeadlineMs: plan.nodeDeadlineMs,
      firstStep: 'lock',
      result: (value: LoadedResult | PresentResult) => value,
      signal: quorum.signal,
      onOutcome: (outcome: Outcome<unknown>) => {
        quorum.onOutcome(outcome);
        tools.onOutcome?.(outcome);
      },
    } as const;
    const outcomes = await fanOut(plan.nodes, options, (node: NodeRun) =>
      holding(node, tools, (held) => loadNode(held, plan, tools, { sessions, checks, mayRetry: quorum.mayRetry })),
    );
    if (sessions.problem !== null) throw sessions.problem;
    return outcomes;
  } finally {
    quorum.close();
  }
}

/** One server for each rate there is, started when the first node needs it. */
type Sessions = {
  at(rateBps: number): Promise<ImageSession> /** Why one could not be started: the whole run's failure. */;
  problem: Error | null;
};

function lazySessions(tools: LoadTools): Sessions {
  const opening = new Map<number, Promise<ImageSession>>();
  const sessions: Sessions = {
    problem: null,
    at: (rateBps) => {
      const known = opening.get(rateBps);
      if (known) return known;
      const session = tools.openSession(rateBps);
      opening.set(rateBps, session);
      session.catch((error: unknown) => {
        if (error instanceof UserError) sessions.problem ??= error;
      });
      // an interrupt does not wait for it, and a server must not appear after the run's end
      tools.undo.push('stopping the server', async () => (await session.catch(() => null))?.stop());
      return session;
    },
  };
  return sessions;
}

/** What the nodes of one load share. */
type Shared = { sessions: Sessions; checks: LoadChecks; mayRetry: () => boolean };

async function loadNode(
  node: NodeRun,
  plan: LoadPlan,
  tools: LoadTools,
  { sessions, checks, mayRetry }: Shared,
): Promise<LoadedResult | PresentResult> {
  const settings = plan.settings(node.name);
  const there =
    plan.ifNeeded &&
    (await alreadyThere(node, { ...plan.ifNeeded, image: plan.image.name, checks, bootMs: settings.bootDeadlineMs }, tools));
  if (there) return there;
  const session = await sessions.at(settings.rateBps);
  return inAttempts(
    node,
    { ...plan, attemptDeadlineMs: settings.attemptDeadlineMs },
    () => mayRetry() && !node.isFinishing,
    async (tried, attempt) => {
      const written = inRamdisk(
        tried,
        settings,
        tools,
        async (telnet) => {
          tried.mustFinish(); // a disk that is half written is worth less than the time it takes
          await tools.links.check(node.target.control.mac, node.name); // what is recorded of it is its holder's business
          await checks.recordWriting(tried);
          return writeAndCheck(tried, { plan, settings, tools, telnet, session, checks }, attempt);
        },
        attempt,
      );
      const loaded = await written.catch((error: unknown) => {
        if (!tried.isFinishing) tried.mayStop();
        throw error;
      });
      const isVerified = loaded.verification?.verified === true;
      await checks.recordWritten(tried, isVerified);
      if (!plan.untilSsh) return loaded;
      tried.mayStop(); // what is written stays, whoever waits for it
      const system = await newSystem(tried, settings, tools, checks, attempt);
      await checks.recordWritten(tried, isVerified); // it may have been switched off and on meanwhile, by us
      return { ...loaded, system };
    },
  );
}

/** Waits for ssh. A board that hangs in its boot is switched off and on once; writing its disk again would not help. */
async function newSystem(
  node: NodeRun,
  settings: NodeSettings,
  tools: LoadTools,
  checks: LoadChecks,
  attempt: Attempt,
): Promise<LoadedResult['system']> {
  const wait = (): Promise<LoadedResult['system']> =>
    node.at('ssh', settings.sshDeadlineMs, async (signal) => {
      const { system, files } = await waitForSystem(node, tools.wait, STAMP_PATHS, signal);
      return { ...system, ...(await checks.checkRunning(node, files)) };
    });
  try {
    return await wait();
  } catch (error) {
    if (!settings.reset || !attempt.repeatsSteps || !engineFail.is(error, 'ssh-deadline')) throw error;
    node.retry(`${error.message}; switching off and on`);
    await powerCycle(node, settings, tools);
    return wait();
  }
}

/** One node in the ramdisk, about to be written. */
type Writing = {
  plan: LoadPlan;
  settings: NodeSettings;
  tools: LoadTools;
  telnet: TelnetSession;
  session: ImageSession;
  checks: LoadChecks;
};
async function writeAndCheck(node: NodeRun, writing: Writing, attempt: Attempt): Promise<LoadedResult> {
  try {
    return await writeOnce(node, writing);
  } catch (error) {
    const mayHelp = fail.is(error, 'frisbee-failed', 'verify-mismatch') && error.cure === 'again'; // in the same small system
    if (!attempt.repeatsSteps || node.isFinishing || !mayHelp) throw error;
    node.retry(`${error.message}; writing once more`);
    return writeOnce(node, writing);
  }
}

async function writeOnce(node: NodeRun, { plan, settings, tools, telnet, session, checks }: Writing): Promise<LoadedResult> {
  const { hardDrive: device, stallMs } = settings;
  const { digests } = checks;
  const options: WriteOptions = {
    program: plan.frisbeeClient,
    device,
    stallMs,
    imageChunks: plan.image.chunkCount,
    session,
    chunkIsWhole: (index) => checks.chunkIsWhole(index),
  };
  const startedMs = node.host.monotonicMs();
  const result = await node.at('write', Infinity, async (signal) => {
    await mayAct(node, tools, signal);
    return Promise.race([writeImage(node, telnet, options, signal), session.failed]);
  });
  const writeMs = Math.max(1, Math.round(node.host.monotonicMs() - startedMs));
  await node.at('check', Infinity, async (signal) => {
    refuseShort(node, plan, result);
    await lookAtDisk(node, plan, settings, tools, telnet, signal);
  });
  const { name: image, actualBytes: bytes } = plan.image;
  const loaded: LoadedResult = { type: 'loaded', image, bytes, writeMs, verification: null, system: null };
  if (digests === null || plan.verify === 'none') return loaded;
  const { verify: mode } = plan;
  const verification: Verification = await node.at('verify', Infinity, (signal) =>
    verifyWrite(node, telnet, { mode, device, digests, stallMs }, signal),
  );
  return { ...loaded, verification };
}

/** What the image cannot take care of: the disk's end behind it, and whether its table fits the disk's sectors. */
async function lookAtDisk(
  node: NodeRun,
  plan: LoadPlan,
  { hardDrive: device, stallMs }: NodeSettings,
  tools: LoadTools,
  telnet: TelnetSession,
  signal: AbortSignal,
): Promise<void> {
  const imageSectors = Math.ceil(plan.image.diskBytes / SECTOR_BYTES);
  if (plan.clearEnd) await clearEnd(node, telnet, { device, imageSectors, stallMs }, signal);
  const wrong =
    plan.tableSectorBytes === null ? null : await wrongSectors(node, telnet, { device, stallMs }, plan.tableSectorBytes, signal);
  if (wrong !== null) tools.emit({ type: 'run.warning', text: wrong });
}

function refuseShort(
  node: NodeRun,
  { image: { effectiveBytes, actualBytes } }: LoadPlan,
  seen: { effectiveBytes: number; actualBytes: number },
): void {
  if (seen.effectiveBytes === effectiveBytes && seen.actualBytes === actualBytes) return;
  throw fail(
    'short-write',
    `frisbee on ${node.name} reported ${seen.effectiveBytes} bytes (${seen.actualBytes} actual), the image holds ${effectiveBytes} (${actualBytes} actual)`,
    "is the node's disk smaller than the image? its log has frisbee's own words",
  );
}
