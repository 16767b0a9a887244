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
import { executeLoad, type LoadPlan } from '../../workflows/load.js';
import { Failure, UserError } from '../../util/errors.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import type { NodeWorkflow, WorkflowTools } from '../../app/node-workflow.js';
import { flag, onInterrupt, positive, text } from '../kit/options.js';
import { requirePermit, type RunPermit } from '../../app/leases.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { loadSettings } from '../../app/node-settings.js';
import { minSuccess, passes, takingOptions, type TakingOptions } from './retry-options.js';
import { checkPxe, ramdiskTools } from '../../app/ramdisk-tools.js';
import { folder, localControlIp, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';

const VERIFY_MODES = ['sample', 'full', 'none'] as const;
/** Where each phase of a conversion begins, and its share of the whole. */
const PHASES = { hash: [0, 0.05], unpack: [0.05, 0.25], zip: [0.3, 0.7] } as const;

export async function plan(args: Arguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const load = await planLoad(args, site, context);
  if (!load.reset && load.untilSsh)
    throw new UserError('usage', '-n leaves nodes in the PXE system, -u waits for their new one', 'leave one of them out');
  const taking = takingOptions(args);
  const localIp = await localControlIp(site);
  const { frisbee, pxelinux } = site.config;
  if (load.reset) await checkPxe(pxelinux);
  const permit = await requirePermit(
    args,
    site,
    context,
    load.nodes.map(({ name }) => name),
  );
  return {
    nodes: load.nodes.map((node) => node.name),
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
      onInterrupt: onInterrupt(args.options),
    },
    onInterrupt: onInterrupt(args.options),
    enough: load.enough,
    warnings: [...site.warnings, ...tooSlow(load)],
    dryRun: flag(args.options, 'dry-run'),
    keepsLogs: true,
    inputs: [load.image.path],
    ...runSettings(site),
    result: 'table',
    progress: 'auto',
    patienceMs: Infinity,
    fold: folder(site),
    execute: (tools) => execute(taking, load, localIp, site, permit, context, tools),
    abandon: () => permit.abandon(),
    resultLines: () => [],
  };
}

async function planLoad(args: Arguments, site: Site, context: CommandContext): Promise<LoadPlan> {
  const { frisbee, nodes } = site.config;
  const selected = selectedNodes(args, site, context);
  const asked = text(args.options, 'image');
  const found = await findImage(asked ?? frisbee.defaultImage, placesFor(asked, { imagesDir: frisbee.imagesDir, cwd: context.host.cwd() }));
  site.warnings.push(...(await originDoubts(found, flag(args.options, 'force'))));
  const image = await inspectImage(await ndzOf(found.path, args, site, context), { signal: context.signal });
  const { cut, note, tableSectorBytes } = await judgeImage(image, context.signal);
  if (cut !== null)
    throw new UserError(
      'environment',
      `${found.path}: ${cut}`,
      image.path === found.path ? vouchHint(found.path, image) : 'copy the image again',
    );
  if (note !== null) site.warnings.push(`${basename(found.path)}: ${note}`);
  if (tableSectorBytes === 4096)
    site.warnings.push(`${basename(found.path)}: its partition table is for disks with sectors of 4096 bytes, and is not found on others`);
  return {
    nodes: selected,
    image: { ...image, name: found.name },
    settings: loadSettings(
      args,
      site,
      selected.map(({ name }) => name),
      image.sizeBytes,
    ),
    reset: !flag(args.options, 'no-reset'),
    verify: VERIFY_MODES.find((mode) => mode === text(args.options, 'verify')) ?? frisbee.verify,
    untilSsh: flag(args.options, 'until-ssh'),
    ifNeeded: ifNeeded(args),
    passes: passes(args) ?? nodes.passes,
    pauseMs: nodes.retryPauseMs,
    nodeDeadlineMs: (positive(args.options, 'timeout') ?? Infinity) * 1000,
    enough: minSuccess(args, selected.length),
    frisbeeClient: frisbee.client,
    // what its table speaks of may lie behind it, and a version 1 does not say how large its disk was
    clearEnd: frisbee.clearEnd && note === null && image.version > 1,
    tableSectorBytes,
  };
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
async function ndzOf(path: string, args: Arguments, site: Site, context: CommandContext): Promise<string> {
  const mode = text(args.options, 'progress');
  const progress = new ProgressBar(context, `converting ${basename(path)}`, mode === 'quiet' || mode === 'json');
  try {
    const { path: ndz, notes } = await ensureNdz(path, {
      cacheDir: join(site.stateDir, 'converted'),
      largestDiskBytes: site.config.frisbee.largestDiskGb * 1e9,
      host: context.host,
      signal: context.signal,
      onProgress: (phase, done, total) => progress.update(PHASES[phase][0] * total + done * PHASES[phase][1], total),
    });
    site.warnings.push(...notes.map((note) => `${basename(path)}: ${note}`));
    return ndz;
  } finally {
    progress.end();
  }
}

async function execute(
  taking: TakingOptions,
  load: LoadPlan,
  localIp: string,
  site: Site,
  permit: RunPermit,
  context: CommandContext,
  tools: WorkflowTools,
) {
  const { frisbee, networking } = site.config;
  const ramdisk = await ramdiskTools(taking, site, permit, context, tools);
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
  const auth = load.untilSsh || load.ifNeeded ? await defaultAuth(context.host.home(), context.host.env) : { privateKeys: [] };
  return executeLoad(load, {
    ...tools,
    ...ramdisk,
    images: imageRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host),
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
            { path: frisbee.server, options: frisbee.serverOptions, host: context.host, children: ramdisk.children },
          )
        : startEmbeddedSession({ ...session, rateBps }, context.host),
  });
}

function ifNeeded({ options }: Arguments): LoadPlan['ifNeeded'] {
  const trustStamp = flag(options, 'trust-stamp');
  if (trustStamp && !flag(options, 'if-needed')) throw new UserError('usage', '--trust-stamp goes with --if-needed');
  return flag(options, 'if-needed') ? { trustStamp } : null;
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
