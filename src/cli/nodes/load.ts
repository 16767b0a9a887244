import { basename, join } from 'node:path';
import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import { ensureNdz } from '../../images/convert.js';
import { findImage, placesFor, type ImageRef } from '../../images/find.js';
import { doubtOf, readProvenance } from '../../images/records.js';
import { judgeImage, vouchHint } from '../../images/whole.js';
import { inspectImage } from '../../ndz/read/inspect.js';
import { imageRecords } from '../../runs/images.js';
import { defaultAuth } from '../../ssh/keys.js';
import { startEmbeddedSession } from '../../workflows/session/embedded.js';
import { startFrisbeedSession } from '../../workflows/session/frisbeed.js';
import { loadWork } from '../../workflows/node-steps.js';
import { executeLoad, type LoadPlan } from '../../workflows/load.js';
import { Failure, UserError } from '../../util/errors.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { NodeWorkflow, WorkflowTools } from '../../app/node-workflow.js';
import { requirePermit, type RunPermit } from '../../app/leases.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { loadSettings } from '../../app/node-settings.js';
import type { loadSpec } from './load.spec.js';
import { minSuccess } from './min-success.js';
import { nodesInService, type InService } from '../../app/quarantine.js';
import { checkPxe, ramdiskTools, type Taking } from '../../app/ramdisk-tools.js';
import { folder, localControlIp, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';

/** Where each phase of a conversion begins, and its share of the whole. */
const PHASES = { hash: [0, 0.05], unpack: [0.05, 0.25], zip: [0.3, 0.7] } as const;

type LoadArguments = ArgumentsOf<typeof loadSpec>;
type LoadOptions = LoadArguments['options'];

export async function plan({ words, options }: LoadArguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const chosen = nodesInService(selectedNodes({ words, allNodes: options.allNodes }, site, context.host), site, options.includeQuarantined);
  const { load, doubts } = await planLoad(options, chosen, site, context);
  if (!load.reset && load.untilSsh)
    throw new UserError('usage', '-n leaves nodes in the PXE system, -u waits for their new one', 'leave one of them out');
  const taking = { waitLockMs: (options.waitLock ?? 0) * 1000, window: options.window ?? null };
  const localIp = await localControlIp(site);
  const { frisbee, pxelinux } = site.config;
  if (load.reset) await checkPxe(pxelinux);
  const nodes = load.nodes.map(({ name }) => name);
  const permit = await requirePermit(nodes, options.forceLease, site, context);
  const onInterrupt = options.onInterrupt ?? 'stop';
  return {
    work: loadWork(load.reset),
    nodes,
    details: {
      image: load.image.path,
      imageBytes: load.image.sizeBytes,
      diskBytes: load.image.diskBytes,
      engine: frisbee.engine,
      ratesBps: rates(load),
      localIp,
      reset: load.reset,
      verify: load.verify,
      clearEnd: load.clearEnd,
      untilSsh: load.untilSsh,
      ifNeeded: load.ifNeeded,
      passes: load.passes,
      timeoutMs: Number.isFinite(load.nodeDeadlineMs) ? load.nodeDeadlineMs : null,
      attemptTimeoutMs: Math.max(...load.nodes.map(({ name }) => load.settings(name).attemptDeadlineMs)),
      enough: load.enough,
      onInterrupt,
    },
    onInterrupt,
    enough: load.enough,
    warnings: [...site.warnings, ...chosen.warnings, ...doubts, ...permit.warnings, ...tooSlow(load)],
    dryRun: options.dryRun,
    keepsLogs: true,
    inputs: [load.image.path],
    ...runSettings(site, chosen.skipped),
    result: 'table',
    progress: 'auto',
    patienceMs: Infinity,
    fold: folder(site),
    execute: (tools) => execute({ load, taking, localIp, site, permit }, tools),
    abandon: () => permit.abandon(),
    resultLines: () => [],
  };
}

/** `doubts`: what there is to be said of the image. */
async function planLoad(
  options: LoadOptions,
  { nodes: selected }: InService,
  site: Site,
  context: CommandContext,
): Promise<{ load: LoadPlan; doubts: string[] }> {
  const { frisbee, nodes } = site.config;
  const asked = options.image;
  const found = await findImage(asked ?? frisbee.defaultImage, placesFor(asked, { imagesDir: frisbee.imagesDir, cwd: context.host.cwd() }));
  const doubts = await originDoubts(found, options.force);
  const ndz = await ndzOf(found.path, options.progress, site, context);
  doubts.push(...ndz.notes.map((note) => `${basename(found.path)}: ${note}`));
  const image = await inspectImage(ndz.path, { signal: context.signal });
  const { cut, note, tableSectorBytes } = await judgeImage(image, context.signal);
  if (cut !== null)
    throw new UserError(
      'environment',
      `${found.path}: ${cut}`,
      image.path === found.path ? vouchHint(found.path, image) : 'copy the image again',
    );
  if (note !== null) doubts.push(`${basename(found.path)}: ${note}`);
  if (tableSectorBytes === 4096)
    doubts.push(`${basename(found.path)}: its partition table is for disks with sectors of 4096 bytes, and is not found on others`);
  const reset = !options.noReset;
  const load: LoadPlan = {
    nodes: selected,
    image: { ...image, name: found.name },
    settings: loadSettings(
      { reset, bandwidthMibps: options.bandwidth, imageBytes: image.sizeBytes },
      site,
      selected.map(({ name }) => name),
    ),
    reset,
    verify: options.verify ?? frisbee.verify,
    untilSsh: options.untilSsh,
    ifNeeded: ifNeeded(options),
    passes: options.passes ?? nodes.passes,
    pauseMs: nodes.retryPauseMs,
    nodeDeadlineMs: (options.timeout ?? Infinity) * 1000,
    enough: minSuccess(options.minSuccess, selected.length),
    frisbeeClient: frisbee.client,
    // what its table speaks of may lie behind it, and a version 1 does not say how large its disk was
    clearEnd: frisbee.clearEnd && note === null && image.version > 1,
    tableSectorBytes,
  };
  return { load, doubts };
}

/**
 * What the image's origin says against it. From a half-written disk comes nothing that boots: refused without --force.
 * One that nobody has read back may well be good, and is only warned of.
 */
async function originDoubts({ name, realPath, sizeBytes }: ImageRef, force: boolean): Promise<string[]> {
  try {
    const provenance = await readProvenance(realPath);
    const doubt = doubtOf(provenance, sizeBytes);
    if (doubt === null) return [];
    if (!force && provenance?.disk !== null && provenance?.disk !== 'unverified')
      throw new UserError(
        'refused',
        `image ${name} was ${doubt}`,
        'save it again from a node that runs well; --force loads it all the same',
      );
    return [`image ${name} was ${doubt}: it may not boot`];
  } catch (error) {
    if (error instanceof Failure) return [error.message];
    throw error;
  }
}

/** The image itself, or what it was converted to: nodes can take .ndz alone. */
async function ndzOf(
  path: string,
  mode: LoadOptions['progress'],
  site: Site,
  context: CommandContext,
): Promise<{ path: string; notes: readonly string[] }> {
  const progress = new ProgressBar(context, `converting ${basename(path)}`, mode === 'quiet' || mode === 'json');
  try {
    return await ensureNdz(path, {
      cacheDir: join(site.stateDir, 'converted'),
      largestDiskBytes: site.config.frisbee.largestDiskGb * 1e9,
      host: context.host,
      signal: context.signal,
      onProgress: (phase, done, total) => progress.update(PHASES[phase][0] * total + done * PHASES[phase][1], total),
    });
  } finally {
    progress.end();
  }
}

/** A load that is planned and permitted. `localIp`: the gateway's own address on the control network. */
type LoadRun = { load: LoadPlan; taking: Taking; localIp: string; site: Site; permit: RunPermit };

async function execute({ load, taking, localIp, site, permit }: LoadRun, tools: WorkflowTools) {
  const { host } = tools;
  const { frisbee, networking } = site.config;
  const ramdisk = await ramdiskTools(taking, site, permit, tools);
  const names = new Map(load.nodes.map(({ control, name }) => [control.ip, name]));
  const session = {
    imagePath: load.image.path,
    localIp,
    loopback: networking.multicastLoop,
    slots: networking.slots,
    nodeOf: (address: string) => names.get(address) ?? null,
    emit: tools.emit,
    signal: tools.signal,
  };
  const auth = load.untilSsh || load.ifNeeded ? await defaultAuth(host.home(), host.env) : { privateKeys: [] };
  return executeLoad(load, {
    ...tools,
    ...ramdisk,
    images: imageRecords(site.stateDir, [SYSTEM_RUNS_DIR], host),
    wait: {
      port: networking.sshPort,
      username: 'root',
      auth,
      backoffMs: networking.sshBackoffMs,
      lastBoot: (node) => ramdisk.boots.last(node),
    },
    openSession: (rateBps) =>
      frisbee.engine === 'frisbeed'
        ? startFrisbeedSession(
            { ...session, rateBps },
            { path: frisbee.server, options: frisbee.serverOptions, host, children: ramdisk.children },
          )
        : startEmbeddedSession({ ...session, rateBps }, host),
  });
}

function ifNeeded({ ifNeeded: asked, trustStamp }: LoadOptions): LoadPlan['ifNeeded'] {
  if (trustStamp && !asked) throw new UserError('usage', '--trust-stamp goes with --if-needed');
  return asked ? { trustStamp } : null;
}

/** The rates of the sessions, and the nodes of each. */
function rates({ nodes, settings }: LoadPlan): Record<string, string[]> {
  const byRate: Record<string, string[]> = {};
  for (const { name } of nodes) (byRate[settings(name).rateBps] ??= []).push(name);
  return byRate;
}

/** Says so when the image cannot pass in the time there is. */
function tooSlow({ image, nodes, settings, nodeDeadlineMs }: LoadPlan): string[] {
  const slowestBps = Math.min(...nodes.map(({ name }) => settings(name).rateBps));
  const neededMs = (image.sizeBytes * 8 * 1000) / slowestBps;
  if (neededMs < nodeDeadlineMs) return [];
  return [
    `sending ${image.path} takes at least ${Math.round(neededMs / 1000)} s at this rate, and a node may take ${nodeDeadlineMs / 1000} s in all: raise -t or -b`,
  ];
}
