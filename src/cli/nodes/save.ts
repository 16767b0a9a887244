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
import { imageRecords } from '../../runs/images.js';
import { UserError } from '../../util/errors.js';
import { doubtOfDisk } from '../../workflows/steps/disk-doubt.js';
import { executeSave, type SavedImage, type SavePlan } from '../../workflows/save.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import type { NodeWorkflow, WorkflowTools } from '../../app/node-workflow.js';
import { flag, onInterrupt, positive, text } from '../kit/options.js';
import { requirePermit, type RunPermit } from '../../app/leases.js';
import { saveSettings } from '../../app/node-settings.js';
import { passes, takingOptions, type TakingOptions } from './retry-options.js';
import { checkPxe, ramdiskTools } from '../../app/ramdisk-tools.js';
import { folder, localControlIp, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';

const MAX_COMMENT_BYTES = 1000;

export async function plan(args: Arguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const dir = savedInto(site.config.frisbee.imagesDir, context.host);
  const save = await planSave(args, site, dir, context);
  const taking = takingOptions(args);
  await checkWritable(dir);
  if (!flag(args.options, 'no-reset')) await checkPxe(site.config.pxelinux);
  const permit = await requirePermit(
    args,
    site,
    context,
    save.nodes.map((node) => node.name),
  );
  const { name, comment, by, localIp, stamp, passes: tries, attemptDeadlineMs: attemptTimeoutMs } = save;
  const reset = !flag(args.options, 'no-reset');
  const dryRun = flag(args.options, 'dry-run');
  if (dryRun) site.warnings.push(...(await refusals(save, site, context)));
  return {
    nodes: save.nodes.map((node) => node.name),
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
      onInterrupt: onInterrupt(args.options),
    },
    onInterrupt: onInterrupt(args.options),
    warnings: site.warnings,
    dryRun,
    keepsLogs: true,
    ...runSettings(site),
    result: 'table',
    progress: 'auto',
    patienceMs: Infinity,
    fold: folder(site),
    execute: (tools) => execute(taking, save, dir, site, permit, context, tools),
    abandon: () => permit.abandon(),
    resultLines: (outcome) => (outcome.ok && isSaved(outcome.value) ? [`${outcome.node}:${outcome.value.path}`] : []),
  };
}

async function planSave(args: Arguments, site: Site, dir: string, context: CommandContext): Promise<SavePlan> {
  const { frisbee, nodes } = site.config;
  const { host } = context;
  const selected = selectedNodes(args, site, context);
  const name = checkedName(
    text(args.options, 'output') ?? 'image',
    selected.map((node) => node.name),
  );
  const savedAtMs = host.now();
  return {
    settings: saveSettings(args, site),
    nodes: selected,
    pathOf: (node, nth) => join(dir, `${savedName(node, savedAtMs, name, nth)}${IMAGE_SUFFIX}`),
    name,
    by: (host.uid() === 0 ? host.env.SUDO_USER : undefined) ?? host.login(),
    comment: checkedComment(text(args.options, 'comment')),
    gateway: host.shortHostname(),
    savedAtMs,
    force: flag(args.options, 'force'),
    stamp: frisbee.rootPartition === null ? null : { rootPartition: frisbee.rootPartition, mountPoint: frisbee.mountPoint },
    lastBytes: await lastImageBytes(dir),
    localIp: await localControlIp(site),
    nodeDeadlineMs: (positive(args.options, 'timeout') ?? Infinity) * 1000,
    passes: passes(args) ?? nodes.passes,
    pauseMs: nodes.retryPauseMs,
    attemptDeadlineMs: nodes.saveTimeoutMs + 2 * nodes.timeoutBeforeTelnetMs,
    imagezip: frisbee.imagezip,
    netcat: frisbee.netcat,
  };
}

/** What a save would refuse, or do because of --force: a sentence for each node that our records have something against. */
async function refusals({ nodes, force }: SavePlan, site: Site, { host }: CommandContext): Promise<string[]> {
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

async function execute(
  taking: TakingOptions,
  save: SavePlan,
  dir: string,
  site: Site,
  permit: RunPermit,
  context: CommandContext,
  tools: WorkflowTools,
) {
  for (const path of await sweepUnfinished(dir, context.host.now()))
    tools.emit({ type: 'run.note', text: `removed ${path}, left behind by a run that is gone` });
  return executeSave(save, {
    ...tools,
    ...(await ramdiskTools(taking, site, permit, context, tools)),
    images: imageRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host),
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
