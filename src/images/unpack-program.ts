import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { reasonOf } from '../util/abort.js';
import { type Failure, systemCode } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { printable } from '../util/text.js';
import { lookBehind } from './behind.js';
import type { FileWindow } from './file-window.js';
import { packedEnd } from './packed-end.js';
import { PACKED_MAGICS, type PackedFormat } from './packed-magics.js';
import { zstdFrames, type FrameEvents } from './zstd-frames.js';
import { fail } from './failures.js';

type ByProgram = Exclude<PackedFormat, 'gzip'>;
type Program = { program: string; args: readonly string[]; debian: string; fedora: string };

/** Every distribution has them. A window of 2 GiB (`--long=31`) takes memory only where it was used. */
const PROGRAMS: Record<ByProgram, Program> = {
  xz: { program: 'xz', args: ['-d', '-c'], debian: 'xz-utils', fedora: 'xz' },
  zstd: { program: 'zstd', args: ['-d', '--long=31', '-c'], debian: 'zstd', fedora: 'zstd' },
  bzip2: { program: 'bzip2', args: ['-d', '-c'], debian: 'bzip2', fedora: 'bzip2' },
};
const MAX_WORDS = 2000;
/** How it shows that a program does not read on. */
const LEFT_EARLY = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'];

export type ProgramEvents = FrameEvents & { onBytes: (readBytes: number) => void };

/**
 * What all streams or frames of an xz, zstd or bzip2 file hold, by the program of that name.
 * Throws Error for a file that is cut or damaged, Failure `program-missing`, one of the reading, or the signal's reason.
 */
export async function* unpackByProgram(
  input: FileWindow,
  format: ByProgram,
  host: Host,
  events: ProgramEvents,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const { program, args } = PROGRAMS[format];
  const packed = format === 'zstd' ? zstdFrames(input, events) : await streams(input, format, events);
  const child = host.spawn(program, [...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...host.env, LC_ALL: 'C' } });
  const ended = once(child, 'close') as Promise<[number | null]>;
  ended.catch(() => undefined); // awaited below
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(0, MAX_WORDS)));
  let broken: unknown = null;
  const feeding = pipeline(Readable.from(counted(packed, events.onBytes), { highWaterMark: 1 }), child.stdin).catch((error: unknown) => {
    if (!LEFT_EARLY.includes(systemCode(error) ?? '')) broken = error; // a program that ends early says why itself
  });
  const onAbort = (): void => void child.stdout.destroy(signal ? reasonOf(signal) : undefined);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const [code] = await ended;
    await feeding;
    if (broken !== null) throw broken;
    refuseFailed(format, code, words);
  } catch (error) {
    child.kill('SIGKILL');
    const cause = await ended.then(
      () => error,
      (reason: unknown) => reason,
    );
    throw systemCode(cause) === 'ENOENT' ? missing(input.path, format, cause) : (broken ?? error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    child.kill('SIGKILL');
    child.stdin.destroy();
    await ended.catch(() => undefined);
    await feeding;
  }
}

async function* counted(pieces: AsyncIterable<Buffer>, onBytes: (readBytes: number) => void): AsyncGenerator<Buffer> {
  let readBytes = 0;
  for await (const piece of pieces) {
    onBytes((readBytes += piece.byteLength));
    yield piece;
  }
}

/** An xz or bzip2 file without what lies behind its last stream; what of it is damaged the program says. */
async function streams(input: FileWindow, format: 'xz' | 'bzip2', { onNote }: ProgramEvents): Promise<AsyncIterable<Buffer>> {
  const end = await packedEnd(input, format);
  const behind = end === null ? null : await lookBehind(input, end, PACKED_MAGICS[format]);
  if (behind?.is === 'damaged') throw new Error(`what begins at byte ${behind.at} looks like another part whose first bytes are damaged`);
  if (behind?.is === 'others') onNote(behind.note);
  return input.range(0, end !== null && (behind?.is === 'nothing' || behind?.is === 'others') ? end : input.sizeBytes);
}

function refuseFailed(format: ByProgram, code: number | null, words: string): void {
  const { program } = PROGRAMS[format];
  const lines = words.split('\n').map((line) =>
    line
      .replaceAll('/*stdin*\\', '(stdin)')
      .replace(/^\s*(?:\w+: )?(?:\(stdin\) ?: )?/, '')
      .trim(),
  );
  const said = lines.find((line) => line !== '');
  if (code !== 0) throw new Error(`${program} says: ${printable(said ?? `nothing, and ended with ${code}`)}`);
  // bzip2 leaves out what it does not understand between streams, and calls that a success
  if (format === 'bzip2' && words.includes('trailing garbage')) throw new Error('there is something damaged between two parts of it');
}

function missing(path: string, format: ByProgram, cause: unknown): Failure {
  const { program, debian, fedora } = PROGRAMS[format];
  return fail(
    'program-missing',
    `${path} is compressed with ${format}, and there is no program ${program} to unpack it`,
    `install it: apt install ${debian}, or dnf install ${fedora}`,
    { cause },
  );
}
