import { join } from 'node:path';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { UserError } from '../../util/errors.js';
import { executeSave, type SavedImage, type SavePlan } from '../../workflows/save.js';
import type { Arguments, CommandContext } from '../command.js';
import type { NodeWorkflow } from '../node-workflow.js';
import { positive, text } from '../options.js';
import { passes } from '../retry-options.js';
import { checkPxe, ramdiskPlan, ramdiskTools } from '../ramdisk-tools.js';
import { folder, localControlIp, openSite, runSettings, selectedNodes } from '../site.js';

export async function plan(args: Arguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const { config } = site;
  const nodes = selectedNodes(args, site, context);
  const name = text(args.options, 'output') ?? 'image';
  if (!/^[^/\u0000]+$/.test(name)) throw new UserError('usage', `-o ${JSON.stringify(name)}: the name of an image has no slash`);
  const dir = context.host.uid() === 0 ? config.frisbee.imagesDir : context.host.cwd();
  const day = stamp(context.host.now());
  const seconds = positive(args.options, 'timeout');
  const save: SavePlan = {
    ...ramdiskPlan(args, site),
    nodes,
    pathOf: (node) => join(dir, `saving__${node}__${day}__${name}.ndz`),
    localIp: await localControlIp(site),
    nodeDeadlineMs: seconds === undefined ? Infinity : seconds * 1000,
    passes: passes(args) ?? config.nodes.passes,
    pauseMs: config.nodes.retryPauseMs,
    attemptDeadlineMs: config.nodes.saveTimeoutMs + 2 * config.nodes.timeoutBeforeTelnetMs,
    stallMs: config.nodes.stallTimeoutMs,
    imagezip: config.frisbee.imagezip,
    netcat: config.frisbee.netcat,
  };
  await checkWritable(dir);
  if (save.reset) await checkPxe(config.pxelinux);
  return {
    nodes: nodes.map((node) => node.name),
    details: { files: nodes.map((node) => save.pathOf(node.name)), localIp: save.localIp, reset: save.reset, timeoutMs: seconds === undefined ? null : seconds * 1000, attemptTimeoutMs: save.attemptDeadlineMs, passes: save.passes },
    warnings: site.warnings,
    dryRun: false,
    keepsLogs: true,
    ...runSettings(site),
    result: 'table',
    progress: 'auto',
    patienceMs: Infinity,
    fold: folder(site),
    execute: async (tools) => executeSave(save, { ...tools, ...(await ramdiskTools(args, site, save.graceMs, context, tools)) }),
    resultLines: (outcome) => (outcome.ok && isSaved(outcome.value) ? [`${outcome.node}:${outcome.value.path}`] : []),
  };
}

/** `2026-11-21@01-16`, local time: no colon, so that names paste in any shell. */
function stamp(nowMs: number): string {
  const local = new Date(nowMs - new Date(nowMs).getTimezoneOffset() * 60_000).toISOString();
  return `${local.slice(0, 10)}@${local.slice(11, 16).replace(':', '-')}`;
}

async function checkWritable(dir: string): Promise<void> {
  await access(dir, constants.W_OK).catch((cause: unknown) => {
    throw new UserError('environment', `images cannot be saved in ${dir}`, 'it must exist and you must be allowed to write there', { cause });
  });
}

function isSaved(value: unknown): value is SavedImage {
  return typeof value === 'object' && value !== null && 'path' in value;
}
