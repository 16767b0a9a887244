import { parseArgs } from 'node:util';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { streamSource } from '../ndz/source.js';
import { writeImage, type WriteOptions, type WriteProgress, type WriteResult } from '../ndz/writer.js';
import { DotLine, padded } from './dot-line.js';
import type { ProgramIo } from './program-io.js';

export const imagezipUsage = `usage: imagezip [-hvorfD3] [-z level] [-u uuid] <image | device | -> <outputfilename | ->
 -o             Print progress indicating dots
 -r             Save every sector; file systems are not looked into
 -f             Same as -r
 -z level       Compression level, 0 (none) to 9; default 4
 -u uuid        The image's UUID, 32 hex digits (writes format version 4)
 -3             Write format version 3, which is the default without -u
 -D             Accepted and ignored
 -v             Print version info and exit
 -h             Print this help message
`;

type Args = { input: string; output: string; dots: boolean; raw: boolean; level: number; uuid: string | undefined };
const OK = 0;
const FAILED = 1;
const INTERRUPTED = 143;

/**
 * `imagezip`, for callers of the 2015 program: its options (those above), its lines on standard error, its exit codes
 * (0 saved, 1 anything else; 143 when the signal aborts). It saves whole disks, free space included, and an output file
 * appears only when it is complete.
 */
export async function runImagezip(argv: readonly string[], io: ProgramIo): Promise<number> {
  const args = parse(argv, io);
  if (typeof args === 'number') return args;
  if (!args.raw) io.stderr.write('imagezip: saving raw: every sector is saved, file systems are not looked into\n');
  try {
    await save(args, io);
    return OK;
  } catch (error) {
    if (io.signal?.aborted) {
      io.stderr.write('imagezip: interrupted\n');
      return INTERRUPTED;
    }
    if (!(error instanceof Failure)) throw error;
    io.stderr.write(`imagezip: ${error.message}${error.hint ? ` (${error.hint})` : ''}\n`);
    return FAILED;
  }
}

async function save(args: Args, io: ProgramIo): Promise<void> {
  const startMs = systemHost.monotonicMs();
  const elapsedMs = (): number => systemHost.monotonicMs() - startMs;
  const dots = args.dots ? new ChunkDots(io, elapsedMs) : undefined;
  const options: WriteOptions = {
    level: args.level,
    ...(args.uuid === undefined ? { version: 3 } : { version: 4, uuid: args.uuid }),
    ...(io.signal ? { signal: io.signal } : {}),
    ...(dots ? { onProgress: (progress: WriteProgress) => dots.advance(progress) } : {}),
  };
  const result = await writeImage(sourceOf(args.input, io), args.output === '-' ? io.stdout : args.output, options);
  if (dots) io.stderr.write('\n');
  io.stderr.write(summary(result, elapsedMs()));
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

function sourceOf(input: string, io: ProgramIo): Parameters<typeof writeImage>[0] {
  if (input !== '-') return input;
  if (!io.stdin) throw new Failure('source-read-failed', 'no standard input to read', 'give the path of a disk');
  return streamSource(io.stdin, 'standard input', io.signal);
}

const flag = (short: string): { type: 'boolean'; short: string; default: false } => ({ type: 'boolean', short, default: false });
const OPTIONS = {
  dots: flag('o'), raw: flag('r'), file: flag('f'), dangerous: flag('D'), three: flag('3'), version: flag('v'), help: flag('h'),
  level: { type: 'string', short: 'z', default: '4' },
  uuid: { type: 'string', short: 'u' },
} as const;

function parse(argv: readonly string[], io: ProgramIo): Args | number {
  const refuse = (message: string): number => {
    io.stderr.write(`imagezip: ${message}\n${imagezipUsage}`);
    return FAILED;
  };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
    if (values.version) {
      io.stderr.write('imagezip: writes .ndz images of format versions 3 and 4, whole disks only\n');
      return OK;
    }
    if (values.help) {
      io.stderr.write(imagezipUsage);
      return FAILED; // as the 2015 program does
    }
    if (!/^[0-9]$/.test(values.level)) return refuse(`compression level '${values.level}' is not 0 to 9`);
    const uuid = values.uuid?.replaceAll('-', '');
    if (uuid !== undefined && !/^[0-9a-fA-F]{32}$/.test(uuid)) return refuse(`uuid '${values.uuid}' is not 32 hex digits`);
    if (uuid !== undefined && values.three) return refuse('version 3 images have no uuid: -3 and -u do not go together');
    const [input, output, ...more] = positionals;
    if (input === undefined) return refuse('no disk given');
    if (output === undefined) return refuse('Must specify an output filename!');
    if (more.length > 0) return refuse(`unexpected '${more.join(' ')}'`);
    return { input, output, dots: values.dots, raw: values.raw || values.file, level: Number(values.level), uuid };
  } catch (error) {
    if (systemCode(error)?.startsWith('ERR_PARSE_ARGS')) return refuse(messageOf(error).split('. ')[0] ?? '');
    throw error;
  }
}
