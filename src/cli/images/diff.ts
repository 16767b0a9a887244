import { formatBytes } from '../../monitor/format.js';
import { diffImages, type DiffCounts, type DiffPart, type ImageDiff } from '../../ndz/check/diff.js';
import { say } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { partitionText } from './info.js';
import { imageSpec } from './image.spec.js';

const SHOWN_RUNS = 20;
const JSON_RUNS = 10_000;

const takes = ['workers', 'json', 'quiet'] as const;
type DiffArguments = ArgumentsOf<typeof imageSpec, (typeof takes)[number]>;

/** Says in what two images differ. */
export const diff = action(imageSpec, { words: 'A B', minWords: 2, maxWords: 2, options: takes, run });

async function run({ words, options }: DiffArguments, context: CommandContext): Promise<number> {
  const [a = '', b = ''] = words;
  const { workers } = options;
  const progress = new ProgressBar(context, 'diff', options.quiet);
  let found: ImageDiff;
  try {
    found = await diffImages(a, b, {
      maxRuns: options.json ? JSON_RUNS : SHOWN_RUNS,
      ...(workers === undefined ? {} : { workers }),
      signal: context.signal,
      onProgress: (done, total) => progress.update(done * 512, total * 512),
    });
  } finally {
    progress.end();
  }
  if (options.json) writeJson(context, found);
  else say(context.stdout, ...lines(found));
  return found.same ? exitCodes.ok : exitCodes.someFailed;
}

function lines(found: ImageDiff): string[] {
  const { a, b, same, bytes, parts, runs, runCount } = found;
  if (same) return [`${a.path} and ${b.path} hold the same disk`];
  const sizes = a.diskBytes === b.diskBytes ? [] : [`  disk of A: ${a.diskBytes} bytes, of B: ${b.diskBytes} bytes`];
  return [
    `${a.path} (A) and ${b.path} (B) differ: ${countsText(bytes)}`,
    ...sizes,
    ...parts.map((part) => `  ${partName(part)}: ${countsText(part.bytes)}`),
    ...(runCount === 0 ? [] : [`  in ${runCount} run${runCount === 1 ? '' : 's'} of sectors:`]),
    ...runs.map(
      ({ startSector, sectorCount, kind }) =>
        `    ${startSector}-${startSector + sectorCount - 1}  ${kind === 'changed' ? 'changed' : `only in ${kind === 'only-a' ? 'A' : 'B'}`}`,
    ),
    ...(runCount > runs.length ? [`    … and ${runCount - runs.length} more`] : []),
  ];
}

function partName({ partition, startSector, endSector }: DiffPart): string {
  if (!partition) return startSector === 0 ? 'before the partitions' : `outside of partitions, sectors ${startSector}-${endSector - 1}`;
  return `${partition.number === 0 ? 'file system' : `partition ${partition.number}`} (${partitionText(partition)})`;
}

function countsText(bytes: DiffCounts): string {
  const words = [
    bytes.changed > 0 ? `${formatBytes(bytes.changed)} changed` : '',
    bytes['only-a'] > 0 ? `${formatBytes(bytes['only-a'])} only in A` : '',
    bytes['only-b'] > 0 ? `${formatBytes(bytes['only-b'])} only in B` : '',
  ].filter((word) => word !== '');
  return words.length === 0 ? 'the same content' : words.join(', ');
}
