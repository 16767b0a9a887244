import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import {
  MAX_IMAGE_NAME_BYTES,
  sweepUnfinished,
  savedInto,
  IMAGE_SUFFIX,
  imageName,
  parseSavedName,
  savedName,
} from '../../images/saved.js';
import { holdsControls } from '../../images/stamp.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { imageRecords } from '../../runs/images.js';
import { UserError } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import { doubtOfDisk } from '../../workflows/steps/disk-doubt.js';
import { saveWork } from '../../workflows/node-steps.js';
import { executeSave, type SavedImage, type SavePlan } from '../../workflows/save.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { NodeWorkflow, WorkflowTools } from '../../app/node-workflow.js';
import { requirePermit, type RunPermit } from '../../app/leases.js';
import { saveSettings } from '../../app/node-settings.js';
import { nodesInService } from '../../app/quarantine.js';
import { checkPxe, ramdiskTools, type Taking } from '../../app/ramdisk-tools.js';
import { foldingOf, localControlIp, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';
import type { saveSpec } from './save.spec.js';

const MAX_COMMENT_BYTES = 1000;

type SaveArguments = ArgumentsOf<typeof saveSpec>;

export async function plan({ words, options }: SaveArguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const dir = savedInto(site.config.frisbee.imagesDir, context.host);
  const chosen = nodesInService(selectedNodes({ words, allNodes: options.allNodes }, site, context.host), site, options.includeQuarantined);
  const save = await planSave(options, chosen.nodes, dir, site, context.host);
  const taking = { waitLockMs: (options.waitLock ?? 0) * 1000, window: options.window ?? null };
  await checkWritable(dir);
  const reset = !options.noReset;
  if (reset) await checkPxe(site.config.pxelinux);
  const nodes = save.nodes.map((node) => node.name);
  const permit = await requirePermit(nodes, options.forceLease, site, context);
  const { name, comment, by, localIp, stamp, passes: tries, attemptDeadlineMs: attemptTimeoutMs } = save;
  const onInterrupt = options.onInterrupt ?? 'stop';
  const refused = options.dryRun ? await refusals(save, site, context.host) : [];
  return {
    work: saveWork(reset),
    nodes,
    details: {
      files: save.nodes.map((node) => save.pathOf(node.name, 1)),
      image: name,
      by,
      comment,
      stamp: stamp?.rootPartition ?? null,
      localIp,
      reset,
      timeoutMs: Number.isFinite(save.nodeDeadlineMs) ? save.nodeDeadlineMs : null,
      attemptTimeoutMs,
      passes: tries,
      onInterrupt,
    },
    onInterrupt,
    warnings: [...site.warnings, ...chosen.warnings, ...permit.warnings, ...refused],
    dryRun: options.dryRun,
    keepsLogs: true,
    ...runSettings(site, chosen.skipped),
    result: 'table',
    progress: 'auto',
    patienceMs: Infinity,
    fold: foldingOf(site),
    execute: (tools) => execute({ save, taking, dir, site, permit }, tools),
    abandon: () => permit.abandon(),
    resultLines: (outcome) => (outcome.ok && isSaved(outcome.value) ? [`${outcome.target}:${outcome.value.path}`] : []),
  };
}

async function planSave(
  options: SaveArguments['options'],
  selected: readonly InventoryNode[],
  dir: string,
  site: Site,
  host: Host,
): Promise<SavePlan> {
  const { frisbee, nodes } = site.config;
  const name = checkedName(
    options.output ?? 'image',
    selected.map((node) => node.name),
  );
  const savedAtMs = host.now();
  return {
    settings: saveSettings(!options.noReset, site),
    nodes: selected,
    pathOf: (node, nth) => join(dir, `${savedName(node, savedAtMs, name, nth)}${IMAGE_SUFFIX}`),
    name,
    by: (host.uid() === 0 ? host.env.SUDO_USER : undefined) ?? host.login(),
    comment: checkedComment(options.comment),
    gateway: host.shortHostname(),
    savedAtMs,
    force: options.force,
    stamp: frisbee.rootPartition === null ? null : { rootPartition: frisbee.rootPartition, mountPoint: frisbee.mountPoint },
    lastBytes: await lastImageBytes(dir),
    localIp: await localControlIp(site),
    nodeDeadlineMs: (options.timeout ?? Infinity) * 1000,
    passes: options.passes ?? nodes.passes,
    pauseMs: nodes.retryPauseMs,
    attemptDeadlineMs: nodes.saveTimeoutMs + 2 * nodes.timeoutBeforeTelnetMs,
    imagezip: frisbee.imagezip,
    netcat: frisbee.netcat,
  };
}

/** What a save would refuse, or do because of --force: a sentence for each node that our records have something against. */
async function refusals({ nodes, force }: SavePlan, site: Site, host: Host): Promise<string[]> {
  const images = imageRecords(site.stateDir, [SYSTEM_RUNS_DIR], host);
  const sentences: string[] = [];
  for (const { name } of nodes) {
    const doubt = await doubtOfDisk(name, images);
    if (doubt !== null)
      sentences.push(
        `${name}: ${doubt.why}: ${force ? `its image would bear the mark '${doubt.mark}'` : 'it would be refused without --force'}`,
      );
  }
  return sentences;
}

/** A save that is planned and permitted. `dir`: where the images go. */
type SaveRun = { save: SavePlan; taking: Taking; dir: string; site: Site; permit: RunPermit };

async function execute({ save, taking, dir, site, permit }: SaveRun, tools: WorkflowTools) {
  for (const path of await sweepUnfinished(dir, tools.host.now()))
    tools.emit({ type: 'run.note', text: `removed ${path}, left behind by a run that is gone` });
  return executeSave(save, {
    ...tools,
    ...(await ramdiskTools(taking, site, permit, tools)),
    images: imageRecords(site.stateDir, [SYSTEM_RUNS_DIR], tools.host),
  });
}

/** A name becomes a part of file names and of the stamp: any text on one line, without slash, of a length that fits. */
function checkedName(given: string, nodes: readonly string[]): string {
  const name = given.trim().replace(/\.ndz$/, '');
  const refuse = (why: string, hint: string): never => {
    throw new UserError('usage', `-o ${JSON.stringify(given)}: the name of an image ${why}`, hint);
  };
  if (name === '') refuse('is not empty', 'give it a name, such as -o my-setup');
  if (name.includes('/')) refuse('has no slash', 'images go into frisbee.images_dir for root, else into the current folder');
  if (holdsControls(name)) refuse('has no control characters, and is UTF-8', 'leave out line ends, tabs and the like');
  const longest = Math.max(...nodes.map((node) => Buffer.byteLength(savedName(node, 0, name, 99) + IMAGE_SUFFIX)));
  const tooLong = longest - MAX_IMAGE_NAME_BYTES;
  if (tooLong > 0)
    refuse(`has at most ${Buffer.byteLength(name) - tooLong} bytes here, this one ${Buffer.byteLength(name)}`, 'give it a shorter one');
  return name;
}

function checkedComment(given: string | undefined): string | null {
  const comment = given?.trim() ?? '';
  if (holdsControls(comment))
    throw new UserError(
      'usage',
      `-c ${JSON.stringify(given)}: a comment has no control characters, and is UTF-8`,
      'leave out line ends, tabs and the like',
    );
  const sizeBytes = Buffer.byteLength(comment);
  if (sizeBytes > MAX_COMMENT_BYTES)
    throw new UserError('usage', `-c: a comment has at most ${MAX_COMMENT_BYTES} bytes, this one ${sizeBytes}`, 'give a shorter one');
  return comment === '' ? null : comment;
}

/** The size of the newest image that each node has in a folder. */
async function lastImageBytes(dir: string): Promise<Map<string, number>> {
  const newest = new Map<string, { mtimeMs: number; sizeBytes: number }>();
  for (const file of await readdir(dir).catch(() => [])) {
    const node = file.endsWith(IMAGE_SUFFIX) ? parseSavedName(imageName(file))?.node : undefined;
    const found = node === undefined ? null : await stat(join(dir, file)).catch(() => null); // gone meanwhile
    if (node === undefined || !found?.isFile() || (newest.get(node)?.mtimeMs ?? 0) > found.mtimeMs) continue;
    newest.set(node, { mtimeMs: found.mtimeMs, sizeBytes: found.size });
  }
  return new Map([...newest].map(([node, { sizeBytes }]) => [node, sizeBytes]));
}

async function checkWritable(dir: string): Promise<void> {
  await access(dir, constants.W_OK).catch((cause: unknown) => {
    throw new UserError('environment', `images cannot be saved in ${dir}`, 'it must exist and you must be allowed to write there', {
      cause,
    });
  });
}

function isSaved(value: unknown): value is SavedImage {
  return typeof value === 'object' && value !== null && 'path' in value;
}
