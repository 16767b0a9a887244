import { parseArgs } from 'node:util';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { say, sayText } from '../util/say.js';
import { planRanges } from '../disk/plan/plan.js';
import type { Plan, PlanOptions } from '../disk/plan/plan-types.js';
import { sliceSource } from '../disk/slice.js';
import { openSource, streamSource, type ImageSource } from '../disk/source.js';
import { writeImage, type WriteOptions, type WriteProgress, type WriteResult } from '../ndz/write/writer.js';
import { DotLine, padded } from './dot-line.js';
import { planLines } from './imagezip-lines.js';
import type { ProgramIo } from './program-io.js';
import { fail as diskFail } from '../disk/failures.js';

const imagezipUsage = `usage: imagezip [-hviorflnD3d] [-s #] [-R #] [-I #] [-F #] [-z level] [-u uuid] <image | device | -> <outputfilename | ->
 -o             Print progress indicating dots
 -i             Only say what would be saved; no output file
 -r             Save every sector; file systems are not looked into
 -f             Same as -r
 -s slice       Save one partition only, as the kernel numbers them
 -R slice       Save every sector of this partition (may be repeated)
 -I slice       Leave this partition out (may be repeated)
 -l             The input is an ext2, ext3 or ext4 file system, without a partition table
 -n             The input is an NTFS file system, without a partition table
 -F sectors     Save free space that is shorter than this; default 64
 -z level       Compression level, 0 (none) to 9; default 4
 -u uuid        The image's UUID, 32 hex digits (writes format version 4)
 -3             Write format version 3, which is the default without -u
 -D, -d         Accepted and ignored
 -v             Print version info and exit
 -h             Print this help message
`;

type Args = { input: string; output: string; dots: boolean; infoOnly: boolean; level: number; uuid: string | undefined; plan: PlanOptions };
const OK = 0;
const FAILED = 1;
const INTERRUPTED = 143;

/**
 * `imagezip`, for callers of the 2015 program: its options (those above), its lines on standard error, its exit codes
 * (0 saved, 1 anything else; 143 when the signal aborts). Free space of known file systems is left out, and what is not
 * known is saved whole, where the 2015 program gave up. An output file appears only when it is complete.
 */
export async function runImagezip(argv: readonly string[], io: ProgramIo): Promise<number> {
  const args = parse(argv, io);
  if (typeof args === 'number') return args;
  try {
    await save(args, io);
    return OK;
  } catch (error) {
    if (io.signal?.aborted) {
      say(io.stderr, 'imagezip: interrupted');
      return INTERRUPTED;
    }
    if (!(error instanceof Failure)) throw error;
    say(io.stderr, `imagezip: ${error.message}${error.hint ? ` (${error.hint})` : ''}`);
    return FAILED;
  }
}

async function save(args: Args, io: ProgramIo): Promise<void> {
  const startMs = systemHost.monotonicMs();
  const elapsedMs = (): number => systemHost.monotonicMs() - startMs;
  const source = await openInput(args.input, io);
  try {
    const plan = await planOf(source, args, io);
    if (plan) say(io.stderr, ...planLines(plan, args.plan, args.infoOnly));
    if (args.infoOnly) return;
    await write(plan ? sliceSource(source, plan.baseSector, plan.diskSectors) : source, plan, args, io, elapsedMs);
  } finally {
    await source.close();
  }
}

/** What is to be saved; null for a pipe, which is saved whole. */
async function planOf(source: ImageSource, { plan, infoOnly }: Args, io: ProgramIo): Promise<Plan | null> {
  if (source.sizeBytes !== null) return planRanges(source, { ...plan, ...(io.signal ? { signal: io.signal } : {}) });
  if (plan.raw !== true) say(io.stderr, 'imagezip: saving raw: a pipe can only be saved whole');
  if (infoOnly || plan.slice !== undefined)
    throw diskFail('source-not-seekable', 'a pipe cannot be looked into', 'give the path of a disk');
  return null;
}

async function write(source: ImageSource, plan: Plan | null, args: Args, io: ProgramIo, elapsedMs: () => number): Promise<void> {
  const dots = args.dots ? new ChunkDots(io, elapsedMs) : undefined;
  const options: WriteOptions = {
    level: args.level,
    ...(args.uuid === undefined ? { version: 3 } : { version: 4, uuid: args.uuid }),
    ...(plan ? { ranges: plan.ranges } : {}),
    ...(io.signal ? { signal: io.signal } : {}),
    ...(dots ? { onProgress: (progress: WriteProgress) => dots.advance(progress) } : {}),
  };
  const result = await writeImage(source, args.output === '-' ? io.stdout : args.output, options);
  if (dots) say(io.stderr, '');
  sayText(io.stderr, summary(result, elapsedMs()));
}

/** One dot per chunk that was filled; the last one never is. */
class ChunkDots {
  #inputBytes: number | undefined;
  readonly #line: DotLine;

  constructor(io: ProgramIo, elapsedMs: () => number) {
    this.#line = new DotLine(io.stderr, 61, () => ` ${padded(this.#inputBytes ?? 0, 12)} ${padded(elapsedMs() / 1000, 4)}`);
  }

  advance(progress: WriteProgress): void {
    if (this.#inputBytes !== undefined) this.#line.dot();
    this.#inputBytes = progress.inputBytes;
  }
}

function summary(result: WriteResult, elapsedMs: number): string {
  const seconds = (elapsedMs / 1000).toFixed(3);
  const mebibytesPerSecond = elapsedMs > 0 ? (result.dataBytes / 1_048_576 / (elapsedMs / 1000)).toFixed(3) : '0.000';
  return [
    `${result.inputBytes} input (${result.dataBytes} compressed) bytes in ${seconds} seconds`,
    `Image size: ${result.sizeBytes} bytes`,
    `${mebibytesPerSecond}MB/second compressed`,
    `Finished in ${seconds} seconds`,
    '',
  ].join('\n');
}

async function openInput(input: string, io: ProgramIo): Promise<ImageSource> {
  if (input !== '-') return openSource(input);
  if (!io.stdin) throw diskFail('source-read-failed', 'no standard input to read', 'give the path of a disk');
  return streamSource(io.stdin, 'standard input', io.signal);
}

const flag = (short: string): { type: 'boolean'; short: string; default: false } => ({ type: 'boolean', short, default: false });
const OPTIONS = {
  dots: flag('o'),
  info: flag('i'),
  debug: flag('d'),
  ext: flag('l'),
  ntfs: flag('n'),
  raw: flag('r'),
  file: flag('f'),
  dangerous: flag('D'),
  three: flag('3'),
  version: flag('v'),
  help: flag('h'),
  level: { type: 'string', short: 'z', default: '4' },
  uuid: { type: 'string', short: 'u' },
  slice: { type: 'string', short: 's' },
  rawSlice: { type: 'string', short: 'R', multiple: true, default: [] as string[] },
  skipSlice: { type: 'string', short: 'I', multiple: true, default: [] as string[] },
  minFree: { type: 'string', short: 'F' },
} as const;

function parse(argv: readonly string[], io: ProgramIo): Args | number {
  const refuse = (message: string): number => {
    say(io.stderr, `imagezip: ${message}`);
    sayText(io.stderr, imagezipUsage);
    return FAILED;
  };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
    if (values.version) {
      say(io.stderr, 'imagezip: writes .ndz images of format versions 3 and 4');
      return OK;
    }
    if (values.help) {
      sayText(io.stderr, imagezipUsage);
      return FAILED; // as the 2015 program does
    }
    if (!/^[0-9]$/.test(values.level)) return refuse(`compression level '${values.level}' is not 0 to 9`);
    const uuid = values.uuid?.replaceAll('-', '');
    if (uuid !== undefined && !/^[0-9a-fA-F]{32}$/.test(uuid)) return refuse(`uuid '${values.uuid}' is not 32 hex digits`);
    if (uuid !== undefined && values.three) return refuse('version 3 images have no uuid: -3 and -u do not go together');
    const plan = planOptions(values);
    if (typeof plan === 'string') return refuse(plan);
    const [input, output = values.info ? '-' : undefined, ...more] = positionals;
    if (input === undefined) return refuse('no disk given');
    if (output === undefined) return refuse('Must specify an output filename!');
    if (more.length > 0) return refuse(`unexpected '${more.join(' ')}'`);
    return { input, output, dots: values.dots, infoOnly: values.info, level: Number(values.level), uuid, plan };
  } catch (error) {
    if (systemCode(error)?.startsWith('ERR_PARSE_ARGS')) return refuse(messageOf(error).split('. ')[0] ?? '');
    throw error;
  }
}

type Chosen = {
  raw: boolean;
  file: boolean;
  ext: boolean;
  ntfs: boolean;
  slice?: string;
  rawSlice: string[];
  skipSlice: string[];
  minFree?: string;
};

/** What is to be looked into, or a complaint. */
function planOptions(values: Chosen): PlanOptions | string {
  const { slice, rawSlice, skipSlice, minFree } = values;
  const wrong = [slice ?? '1', ...rawSlice, ...skipSlice].find((text) => !/^[1-9][0-9]{0,2}$/.test(text));
  if (wrong !== undefined) return `partition '${wrong}' is not a number from 1 on`;
  if (minFree !== undefined && !/^[0-9]{1,9}$/.test(minFree)) return `'${minFree}' is not a number of sectors`;
  if (values.ext && values.ntfs) return '-l and -n do not go together';
  if (slice !== undefined && (values.ext || values.ntfs)) return 'a bare file system (-l, -n) has no partitions: -s does not go with it';
  if (slice !== undefined && (rawSlice.length > 0 || skipSlice.length > 0)) return '-R and -I are for whole disks: they do not go with -s';
  return {
    raw: values.raw || values.file || rawSlice.map(Number),
    skip: skipSlice.map(Number),
    ...(slice === undefined ? {} : { slice: Number(slice) }),
    ...(values.ext ? { bare: 'ext' } : values.ntfs ? { bare: 'ntfs' } : {}),
    ...(minFree === undefined ? {} : { minSkipSectors: Number(minFree) }),
  };
}
