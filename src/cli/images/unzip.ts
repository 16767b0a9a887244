import { fail as ndzFail } from '../../ndz/failures.js';
import { fail as diskFail } from '../../disk/failures.js';
import { stat } from 'node:fs/promises';
import { judgeImage, vouchHint } from '../../images/whole.js';
import { formatBytes, formatDuration } from '../../monitor/format.js';
import { applyImage, type ApplyResult } from '../../ndz/apply/apply.js';
import type { ImageEnd, ImageInfo } from '../../ndz/read/inspect.js';
import { CHUNK_BYTES } from '../../ndz/codec/format.js';
import { UserError } from '../../util/errors.js';
import { say, warn } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { refuseExisting, refuseTerminal } from './refusals.js';
import { imageSpec } from './image.spec.js';

const takes = ['zero', 'keep-end', 'slice', 'force', 'workers', 'json', 'quiet'] as const;
type UnzipArguments = ArgumentsOf<typeof imageSpec, (typeof takes)[number]>;

/** Writes an image onto a disk, into a partition of it, or into a file. */
export const unzip = action(imageSpec, {
  words: 'IMAGE TARGET',
  minWords: 2,
  maxWords: 2,
  options: takes,
  run,
});

/** What `unzip --json` prints. */
export type UnzipReport = ApplyResult & { image: string; target: string; elapsedMs: number };

async function run({ words, options }: UnzipArguments, context: CommandContext): Promise<number> {
  const [image = '', target = ''] = words;
  const { slice, workers, force, json } = options;
  const progress = new ProgressBar(context, 'unzip', options.quiet);
  const startMs = context.host.monotonicMs();
  if (image === '-') refuseTerminal(process.stdin, 'an image is not typed in', 'cat IMAGE | imaging-image unzip - TARGET');
  if (target === '-') {
    refuseTerminal(process.stdout, 'a disk is nothing for a terminal', 'imaging-image unzip IMAGE - > DISK');
    if (json || slice !== undefined) throw new UserError('usage', `${json ? '--json' : '--slice'} and standard output do not go together`);
    return toStandardOutput(image, force, progress, context);
  }
  if (slice === undefined) await refuseExisting(target, force);
  let result: ApplyResult;
  try {
    result = await applyImage(image === '-' ? process.stdin : image, target, {
      zeroFill: options.zero,
      clearEnd: !options.keepEnd,
      atomic: true,
      exclusive: !force,
      allowCut: force,
      signal: context.signal,
      ...(force ? {} : { judge: (info) => judgeImage(info, context.signal) }),
      ...(slice === undefined ? {} : { slice }),
      ...(workers === undefined ? {} : { workers }),
      onProgress: ({ doneChunks, chunkCount, dataBytes }) =>
        progress.update(dataBytes, chunkCount === null ? null : (dataBytes / doneChunks) * chunkCount),
    });
  } catch (error) {
    progress.end();
    if (diskFail.is(error, 'disk-busy'))
      throw new UserError('refused', error.message, `${error.hint ?? ''}; to write nevertheless, --force`, { cause: error });
    if (ndzFail.is(error, 'ndz-cut'))
      throw new UserError('environment', error.message, `${error.hint ?? ''}; to write it as it is, --force`, { cause: error });
    throw error;
  } finally {
    progress.end();
  }
  for (const note of result.notes) warn(context.stderr, note);
  const elapsedMs = context.host.monotonicMs() - startMs;
  if (json) writeJson(context, { image, target, ...result, elapsedMs: Math.round(elapsedMs) } satisfies UnzipReport);
  else {
    const rate = formatBytes(Math.round(result.actualBytes / Math.max(0.001, elapsedMs / 1000)));
    const isFile = (await stat(target)).isFile();
    say(
      context.stdout,
      `${target}: ${formatBytes(result.actualBytes)} written${isFile && slice === undefined ? `, a file of ${formatBytes(result.diskBytes)}` : ''}; ${formatDuration(elapsedMs)}, ${rate}/s`,
    );
  }
  return exitCodes.ok;
}

/** A pipe gets the disk front to back, free space as zeros. */
async function toStandardOutput(
  image: string,
  force: boolean,
  progress: ProgressBar,
  { stdout, stderr, signal }: CommandContext,
): Promise<number> {
  const judge = async (info: ImageInfo): Promise<ImageEnd> => {
    const end = await judgeImage(info, signal);
    if (end.cut === null) return end;
    throw new UserError('environment', `${image}: ${end.cut}`, `${vouchHint(image, info)}; to write it as it is, --force`);
  };
  let result: ApplyResult;
  try {
    result = await applyImage(image === '-' ? process.stdin : image, stdout, {
      signal,
      allowCut: force,
      ...(force ? {} : { judge }),
      onProgress: ({ doneChunks, chunkCount }) =>
        progress.update(doneChunks * CHUNK_BYTES, chunkCount === null ? null : chunkCount * CHUNK_BYTES),
    });
  } finally {
    progress.end();
  }
  for (const note of result.notes) warn(stderr, note);
  return exitCodes.ok;
}
