import { fail as ndzFail, isImageFault } from '../../ndz/failures.js';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { hashFile, readChecksum } from '../../images/records.js';
import { judgeImage, vouchHint } from '../../images/whole.js';
import { formatBytes } from '../../monitor/format.js';
import { verifyImage, verifyDisk, type DiskVerdict } from '../../ndz/check/verify.js';
import type { ImageInfo } from '../../ndz/read/inspect.js';
import { UserError } from '../../util/errors.js';
import { say } from '../../util/say.js';
import { action, writeJson } from '../kit/actions.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { imageSpec } from './image.spec.js';

const takes = ['sample', 'full', 'slice', 'workers', 'json', 'quiet'] as const;
type VerifyArguments = ArgumentsOf<typeof imageSpec, (typeof takes)[number]>;
type VerifyOptions = VerifyArguments['options'];

/** Checks an image alone, or a disk against it. */
export const verify = action(imageSpec, { words: 'IMAGE [DEVICE]', minWords: 1, maxWords: 2, options: takes, run });

/** What `verify --json` prints: of an image that is damaged, of one that is good, of a disk that was compared with one. */
export type VerifyReport = DamagedReport | GoodReport | DiskReport;
type DamagedReport = { image: string; ok: false; code: string; message: string };
type GoodReport = ImageInfo & { image: string; ok: true; sha256: string | null; notes: string[] };
type DiskReport = Pick<DiskVerdict, 'difference' | 'checkedCount' | 'regionCount' | 'comparedBytes' | 'fromMedium'> & {
  image: string;
  device: string;
  ok: boolean;
  imageBytes: number;
};

async function run({ words, options, given }: VerifyArguments, context: CommandContext): Promise<number> {
  const [image = '', device] = words;
  if (device === undefined) {
    const wrong = ['sample', 'full', 'slice'].find((name) => given.includes(name));
    if (wrong !== undefined) throw new UserError('usage', `--${wrong} is for comparing a disk with an image`, 'name the disk as well');
  }
  if (options.full && options.sample !== undefined) throw new UserError('usage', '--sample and --full do not go together');
  try {
    return device === undefined ? await checkImage(image, options, context) : await checkDisk(image, device, options, context);
  } catch (error) {
    // what is wrong with an image is this command's result, not its failure
    if (!isImageFault(error)) throw error;
    if (options.json) writeJson(context, { image, ok: false, code: error.code, message: error.message } satisfies DamagedReport);
    else say(context.stdout, `${image}: DAMAGED: ${error.message}`, ...(error.hint === undefined ? [] : [`  ${error.hint}`]));
    return exitCodes.someFailed;
  }
}

async function checkImage(image: string, options: VerifyOptions, context: CommandContext): Promise<number> {
  const progress = new ProgressBar(context, 'verify', options.quiet);
  const expected = await readChecksum(image);
  let info: ImageInfo;
  let seen: string | null = null;
  let note: string | null;
  try {
    if (expected !== null) {
      const { size } = await stat(image);
      seen = await hashFile(image, { signal: context.signal, onBytes: (bytes) => progress.update(bytes / 2, size) });
      if (seen !== expected)
        throw ndzFail(
          'ndz-checksum',
          `${image}: its SHA-256 is ${seen}, its side file says ${expected}`,
          'copy both again from where they came from',
        );
    }
    const half = expected === null ? 0 : 0.5;
    info = await verifyImage(image, {
      ...workersOf(options),
      signal: context.signal,
      onProgress: (done, total) => progress.update((half + (1 - half) * (done / total)) * total * 1_048_576, total * 1_048_576),
    });
    const end = await judgeImage(info, context.signal);
    if (end.cut !== null) throw ndzFail('ndz-cut', `${image}: ${end.cut}`, vouchHint(image, info));
    note = end.note;
  } finally {
    progress.end();
  }
  if (options.json) writeJson(context, { image, ok: true, ...info, sha256: seen, notes: note === null ? [] : [note] } satisfies GoodReport);
  else {
    const what = [info.checksums ? 'its SHA-1s' : '', expected === null ? '' : 'its SHA-256'].filter((word) => word !== '').join(' and ');
    say(
      context.stdout,
      `${image}: good: ${info.chunkCount} chunks inflate to ${formatBytes(info.actualBytes)}${what === '' ? '' : `; ${what} match`}`,
      ...(note === null ? [] : [`  note: ${note}`]),
    );
  }
  return exitCodes.ok;
}

async function checkDisk(image: string, device: string, options: VerifyOptions, context: CommandContext): Promise<number> {
  const progress = new ProgressBar(context, 'verify', options.quiet);
  const { slice, sample = null } = options;
  let verdict: DiskVerdict;
  try {
    verdict = await verifyDisk(image, device, {
      sample,
      ...(slice === undefined ? {} : { slice }),
      ...workersOf(options),
      signal: context.signal,
      forget: () => dropCache(device, context),
      judge: (info) => judgeImage(info, context.signal),
      onProgress: (done, total) => progress.update(done * 1_048_576, total * 1_048_576),
    });
  } finally {
    progress.end();
  }
  const { info, difference, checkedCount, regionCount, comparedBytes, fromMedium } = verdict;
  if (options.json) {
    writeJson(context, {
      image,
      device,
      ok: difference === null,
      imageBytes: info.sizeBytes,
      regionCount,
      checkedCount,
      comparedBytes,
      fromMedium,
      difference,
    } satisfies DiskReport);
  } else if (difference === null) {
    say(
      context.stdout,
      `${device}: holds ${image}: ${checkedCount === regionCount ? 'all' : `${checkedCount} of`} ${regionCount} regions compared, ${formatBytes(comparedBytes)}`,
    );
  } else {
    const { startSector, sectorCount } = difference.region;
    say(
      context.stdout,
      `${device}: DIFFERS from ${image} at byte ${difference.offset}, sector ${Math.floor(difference.offset / 512)}, in the region of ${sectorCount} sectors from ${startSector} on`,
    );
  }
  return difference === null ? exitCodes.ok : exitCodes.someFailed;
}

function workersOf({ workers }: VerifyOptions): { workers?: number } {
  return workers === undefined ? {} : { workers };
}

/** Makes the kernel forget what it has of a disk, so that the medium itself is read; best effort. Tells whether that worked. */
async function dropCache(device: string, { host }: CommandContext): Promise<boolean> {
  try {
    const env = { ...host.env, PATH: `${host.env.PATH ?? ''}:/usr/sbin:/sbin` };
    const child = host.spawn('blockdev', ['--flushbufs', device], { stdio: 'ignore', env });
    const [code] = (await once(child, 'close')) as unknown[];
    return code === 0;
  } catch {
    return false; // no such program here
  }
}
