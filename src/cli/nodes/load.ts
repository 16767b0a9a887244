import type { Config } from '../../config/config.js';
import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import { imageRecords } from '../../runs/node-records.js';
import { defaultAuth } from '../../ssh/keys.js';
import { startEmbeddedSession } from '../../workflows/session/embedded.js';
import { startFrisbeedSession } from '../../workflows/session/frisbeed.js';
import { loadWork } from '../../workflows/node-steps.js';
import { executeLoad, type LoadPlan } from '../../workflows/load.js';
import { offLine } from '../../native/capabilities.js';
import { UserError } from '../../util/errors.js';
import { say } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { NodeWorkflow, WorkflowTools } from '../../app/node-workflow.js';
import { requirePermit, type RunPermit } from '../../app/leases.js';
import { loadSettings } from '../../app/node-settings.js';
import { imageToLoad } from './image-to-load.js';
import type { loadSpec } from './load.spec.js';
import { minSuccess } from './min-success.js';
import { nodesInService, type InService } from '../../app/quarantine.js';
import { checkPxe, ramdiskTools, type Taking } from '../../app/ramdisk-tools.js';
import { foldingOf, localControlIp, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';

type LoadArguments = ArgumentsOf<typeof loadSpec>;
type LoadOptions = LoadArguments['options'];

export async function plan({ words, options }: LoadArguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const off = options.verbose ? await offLine(['udp-batches']) : null;
  if (off !== null) say(context.stderr, off);
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
    details: { ...detailsOf(load, frisbee.engine, localIp), onInterrupt },
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
    fold: foldingOf(site),
    execute: (tools) => execute({ load, taking, localIp, site, permit }, tools),
    abandon: () => permit.abandon(),
    resultLines: () => [],
  };
}

/** What the plan says of itself besides its nodes. */
function detailsOf(load: LoadPlan, engine: Config['frisbee']['engine'], localIp: string): Record<string, unknown> {
  return {
    image: load.image.path,
    imageBytes: load.image.sizeBytes,
    diskBytes: load.image.diskBytes,
    engine,
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
  const { image, doubts, clearEnd, tableSectorBytes } = await imageToLoad(options, site, context);
  const reset = !options.noReset;
  const load: LoadPlan = {
    nodes: selected,
    image,
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
    clearEnd: frisbee.clearEnd && clearEnd,
    tableSectorBytes,
  };
  return { load, doubts };
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
