import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { applyImage, type ApplyProgress, type ApplyResult } from '../ndz/apply/apply.js';
import { judgeImage } from '../images/whole.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { say, sayText } from '../util/say.js';
import { DotLine, padded } from './dot-line.js';
import type { ProgramIo } from './program-io.js';
import { fail as ndzFail } from '../ndz/failures.js';

const imageunzipUsage = `usage: imageunzip [-ozOdhv] [-s slice] <input filename | -> [output filename | -]
 -o             Output progress indicator (compressed chunks processed)
 -O             Output progress indicator (GBs of uncompressed data written)
 -s slice       Write into this partition of the output, by the table it has
 -z             Write zeros to free blocks
 -n, -f, -d, -r n, -W n   Accepted and ignored
 -v             Print version info and exit
 -h             Print this help message
`;

type Args = { input: string; output: string; chunkDots: boolean; byteDots: boolean; zeroFill: boolean; slice: number | undefined };
const OK = 0;
const FAILED = 1;
const INTERRUPTED = 143;
const DOT_BYTES = 1e9;
const LINE_DOTS = 67;
const READ_BYTES = 1_048_576;

/**
 * `imageunzip`, for callers of the 2015 program: its options (those above), its lines on standard error, its exit codes
 * (0 restored, 1 anything else; 143 when the signal aborts). Differences: a regular file gets the imaged disk's full
 * size, a file is inspected before the output is touched, and a partial last chunk is an error, as is an image that has lost
 * its last chunks.
 */
export async function runImageunzip(argv: readonly string[], io: ProgramIo): Promise<number> {
  const args = parse(argv, io);
  if (typeof args === 'number') return args;
  try {
    await restore(args, io);
    return OK;
  } catch (error) {
    if (io.signal?.aborted) {
      say(io.stderr, 'imageunzip: interrupted');
      return INTERRUPTED;
    }
    if (!(error instanceof Failure)) throw error;
    say(io.stderr, `imageunzip: ${error.message}${error.hint ? ` (${error.hint})` : ''}`);
    return FAILED;
  }
}

async function restore(args: Args, io: ProgramIo): Promise<void> {
  const startMs = systemHost.monotonicMs();
  const seconds = (): number => (systemHost.monotonicMs() - startMs) / 1000;
  let chunksLeft = 0; // from a pipe the count is not known and goes below zero, as with the 2015 program
  const line = new DotLine(io.stderr, LINE_DOTS, () => `${padded(seconds(), 4)} ${padded(chunksLeft, 6)}`);
  let dots = 0;
  const onProgress = ({ doneChunks, chunkCount, dataBytes }: ApplyProgress): void => {
    chunksLeft = (chunkCount ?? 0) - doneChunks;
    if (args.chunkDots) line.dot();
    if (args.byteDots) for (; dots < Math.floor(dataBytes / DOT_BYTES); dots++) line.dot();
  };
  if (args.output === '-' && !args.zeroFill) say(io.stderr, 'WARNING: output file is not seekable, must zero-fill free space');
  const result = await applyImage((await inputStream(args.input, io)) ?? args.input, args.output === '-' ? io.stdout : args.output, {
    zeroFill: args.zeroFill,
    onProgress,
    judge: (info) => judgeImage(info, io.signal),
    ...(args.slice === undefined ? {} : { slice: args.slice }),
    ...(io.signal ? { signal: io.signal } : {}),
  });
  for (const note of result.notes) say(io.stderr, `WARNING: ${note}`);
  if (args.chunkDots || args.byteDots) line.fill();
  else sayText(io.stderr, summary(result, seconds(), args.zeroFill));
  sayText(io.stderr, bufferLines(result));
}

/** What can only be read front to back: standard input, a FIFO, a terminal; null for a file, which is inspected first. */
async function inputStream(input: string, io: ProgramIo): Promise<Readable | null> {
  if (input !== '-') {
    const found = await stat(input).catch(() => null); // a path that is not there is told by who opens it
    return found?.isFIFO() || found?.isCharacterDevice() ? createReadStream(input, { highWaterMark: READ_BYTES }) : null;
  }
  if (!io.stdin) throw ndzFail('ndz-unreadable', 'no standard input to read', 'give the path of an image');
  return io.stdin;
}

function summary(result: ApplyResult, seconds: number, zeroFill: boolean): string {
  const { inflatedBytes, effectiveBytes, actualBytes, zeroBytes, writes, zeroWrites, seeks } = result;
  const ops = (bytes: number, count: number): string => `${count} ops (${count === 0 ? 0 : Math.floor(bytes / count)} bytes/op)`;
  const lines = [
    `Decompressed ${inflatedBytes} bytes, wrote ${effectiveBytes} bytes (${actualBytes} actual) in ${seconds.toFixed(3)} seconds`,
    `${actualBytes} bytes of data in ${ops(actualBytes, writes)}, ${seeks} seeks`,
  ];
  if (zeroFill && zeroBytes > 0) {
    lines.push(`  ${actualBytes - zeroBytes} bytes of disk data in ${ops(actualBytes - zeroBytes, writes - zeroWrites)}`);
    lines.push(`  ${zeroBytes} bytes of zero data in ${ops(zeroBytes, zeroWrites)}`);
  }
  return `${lines.join('\n')}\n`;
}

function bufferLines({ peakBuffers, peakBufferBytes, blocked }: ApplyResult): string {
  return `${peakBuffers} max bufs, ${peakBufferBytes} max memory\n0 buffers split, ${blocked} blocked on buf memory\n`;
}

const flag = (short: string): { type: 'boolean'; short: string; default: false } => ({ type: 'boolean', short, default: false });
const OPTIONS = {
  chunkDots: flag('o'),
  byteDots: flag('O'),
  zeroFill: flag('z'),
  single: flag('n'),
  direct: flag('f'),
  debug: flag('d'),
  version: flag('v'),
  help: flag('h'),
  slice: { type: 'string', short: 's' },
  retries: { type: 'string', short: 'r' },
  memory: { type: 'string', short: 'W' },
} as const;

function parse(argv: readonly string[], io: ProgramIo): Args | number {
  const refuse = (message: string): number => {
    say(io.stderr, `imageunzip: ${message}`);
    sayText(io.stderr, imageunzipUsage);
    return FAILED;
  };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
    if (values.version) {
      say(io.stderr, 'imageunzip: restores .ndz images of format versions 1 to 4');
      return OK;
    }
    if (values.help) {
      sayText(io.stderr, imageunzipUsage);
      return FAILED; // as the 2015 program does
    }
    const [input, output = '-', ...more] = positionals;
    if (input === undefined) return refuse('no image given');
    if (more.length > 0) return refuse(`unexpected '${more.join(' ')}'`);
    const slice = values.slice === undefined ? undefined : Number(values.slice);
    if (slice !== undefined && !(Number.isInteger(slice) && slice > 0))
      return refuse(`slice '${values.slice}' is not a partition's number`);
    if (slice !== undefined && output === '-') return refuse('-s needs a disk or file to write to');
    return { input, output, slice, chunkDots: values.chunkDots, byteDots: values.byteDots, zeroFill: values.zeroFill };
  } catch (error) {
    if (systemCode(error)?.startsWith('ERR_PARSE_ARGS')) return refuse(messageOf(error).split('. ')[0] ?? '');
    throw error;
  }
}
