import type { PartitionInfo } from '../../disk/plan/plan-types.js';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { removeChecksum, writeChecksum } from '../../images/records.js';
import { formatBytes, formatDuration } from '../../monitor/format.js';
import { streamSource, type ImageSource } from '../../disk/source.js';
import { type WriteResult, zipDisk, type ZipPlan } from '../../ndz/write/writer.js';
import { UserError } from '../../util/errors.js';
import { say, warn } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { refuseExisting, refuseTerminal } from './refusals.js';
import { imageSpec } from './image.spec.js';

const takes = ['level', 'slice', 'raw', 'uuid', 'force', 'workers', 'json', 'quiet'] as const;
type ZipArguments = ArgumentsOf<typeof imageSpec, (typeof takes)[number]>;

/** Makes an image of a disk, a partition or a file, with its checksum beside it. */
export const zip = action(imageSpec, {
  words: 'SOURCE IMAGE',
  minWords: 2,
  maxWords: 2,
  options: takes,
  run,
});

/** What `zip --json` prints. */
export type ZipReport = WriteResult & {
  source: string;
  image: string;
  sha256: string;
  elapsedMs: number;
  partitions: PartitionInfo[];
  notes: string[];
};

async function run({ words, options }: ZipArguments, context: CommandContext): Promise<number> {
  const [source = '', image = ''] = words;
  const { slice, level, workers, uuid } = options;
  if (image !== '-') await refuseTarget(source, image, options.force);
  if (source === '-') refuseTerminal(process.stdin, 'a disk is not typed in', 'cat disk | imaging-image zip - IMAGE');
  if (image === '-') refuseTerminal(process.stdout, 'an image is nothing for a terminal', 'imaging-image zip SOURCE - > IMAGE');
  if (image === '-' && options.json) throw new UserError('usage', '--json and an image on standard output do not go together');
  const progress = new ProgressBar(context, 'zip', options.quiet);
  const startMs = context.host.monotonicMs();
  const hash = createHash('sha256');
  let plan: ZipPlan = { plan: null, dataBytes: null };
  let result: WriteResult;
  try {
    result = await zipDisk(inputOf(source, context), image === '-' ? context.stdout : image, {
      plan: { ...(options.raw ? { raw: true } : {}), ...(slice === undefined ? {} : { slice }) },
      checksum: true,
      ...(level === undefined ? {} : { level }),
      ...(workers === undefined ? {} : { workers }),
      ...(uuid === undefined ? {} : { uuid }),
      signal: context.signal,
      onPlan: (found) => {
        plan = found;
        for (const note of found.plan?.notes ?? []) warn(context.stderr, note);
      },
      onChunk: (bytes) => hash.update(bytes),
      ...(image === '-' ? {} : { beforeCommit: () => removeChecksum(image) }), // that of the image it replaces
      onProgress: ({ dataBytes }) => progress.update(dataBytes, plan.dataBytes),
    });
  } finally {
    progress.end();
  }
  const sha256 = hash.digest('hex');
  const isFile = image !== '-' && (await stat(image)).isFile();
  if (isFile) await writeChecksum(image, sha256);
  const elapsedMs = context.host.monotonicMs() - startMs;
  const { sizeBytes, dataBytes, diskBytes, chunkCount } = result;
  if (options.json)
    writeJson(context, {
      source,
      image,
      ...result,
      sha256,
      elapsedMs: Math.round(elapsedMs),
      partitions: plan.plan?.partitions ?? [],
      notes: plan.plan?.notes ?? [],
    } satisfies ZipReport);
  else {
    const out = image === '-' ? context.stderr : context.stdout;
    const rate = formatBytes(Math.round(dataBytes / Math.max(0.001, elapsedMs / 1000)));
    say(
      out,
      `${image}: ${formatBytes(sizeBytes)} in ${chunkCount} chunks, for ${formatBytes(dataBytes)} in use of a disk of ${formatBytes(diskBytes)}; ${formatDuration(elapsedMs)}, ${rate}/s`,
    );
  }
  return exitCodes.ok;
}

function inputOf(source: string, context: CommandContext): string | ImageSource {
  return source === '-' ? streamSource(process.stdin, 'standard input', context.signal) : source;
}

async function refuseTarget(source: string, image: string, force: boolean): Promise<void> {
  const [from, to] = await Promise.all([source, image].map((path) => stat(path).catch(() => undefined)));
  if (from && to && from.dev === to.dev && from.ino === to.ino)
    throw new UserError('usage', `${image} is the source itself`, 'give the image another name');
  if (to?.isBlockDevice() && !force)
    throw new UserError(
      'refused',
      `${image} is a disk, and an image belongs into a file`,
      'to write an image onto a disk say unzip; to do it nevertheless, --force',
    );
  await refuseExisting(image, force);
}
