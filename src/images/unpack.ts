import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { reasonOf } from '../util/abort.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { ImageFormat } from './formats.js';

type Compressed = Exclude<ImageFormat, 'ndz' | 'raw'>;

/** Node.js 20 inflates gzip itself; the rest is done by programs that every distribution has. */
const PROGRAMS: Record<Exclude<Compressed, 'gzip'>, { program: string; debian: string; fedora: string }> = {
  xz: { program: 'xz', debian: 'xz-utils', fedora: 'xz' },
  zstd: { program: 'zstd', debian: 'zstd', fedora: 'zstd' },
  bzip2: { program: 'bzip2', debian: 'bzip2', fedora: 'bzip2' },
};

const BLOCK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);
/** More than the image format can describe. */
const MAX_BYTES = 2 ** 41;

export type UnpackOptions = { host: Host; signal?: AbortSignal; onBytes?: (sourceBytes: number) => void };

/**
 * Unpacks a compressed file into `target`, with holes for zeros; returns the size it has then. A source that is cut or
 * damaged is an error. Throws Failure `image-damaged`, `program-missing`, `image-write-failed`, or the signal's reason.
 */
export async function unpack(source: string, format: Compressed, target: string, options: UnpackOptions): Promise<number> {
  const output = await open(target, 'wx', 0o600);
  try {
    return await (format === 'gzip' ? gunzip(source, output, target, options) : runProgram(source, format, output, target, options));
  } finally {
    await output.close();
  }
}

async function gunzip(source: string, output: FileHandle, target: string, options: UnpackOptions): Promise<number> {
  const input = createReadStream(source, { highWaterMark: 256 * 1024 });
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  let readBytes = 0;
  input.on('data', (piece) => options.onBytes?.((readBytes += piece.length)));
  input.on('error', (error) => gunzip.destroy(error));
  input.pipe(gunzip);
  try {
    return await writeSparse(gunzip, output, target, options.signal);
  } catch (error) {
    if (error instanceof Failure || options.signal?.aborted) throw error;
    throw damaged(source, messageOf(error), error);
  } finally {
    input.destroy();
    gunzip.destroy();
  }
}

async function runProgram(source: string, format: Exclude<Compressed, 'gzip'>, output: FileHandle, target: string, { host, signal, onBytes }: UnpackOptions): Promise<number> {
  const { program, debian, fedora } = PROGRAMS[format];
  const input = createReadStream(source, { highWaterMark: 256 * 1024 });
  const child = host.spawn(program, ['-d', '-c'], { stdio: ['pipe', 'pipe', 'pipe'], env: host.env });
  const ended = once(child, 'close') as Promise<[number | null]>;
  ended.catch(() => undefined); // awaited below
  let [readBytes, words] = [0, ''];
  input.on('data', (piece) => onBytes?.((readBytes += piece.length)));
  input.on('error', (error) => child.stdin.destroy(error));
  child.stdin.on('error', () => undefined); // a program that ends early says why itself
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-500)));
  input.pipe(child.stdin);
  try {
    const sizeBytes = await writeSparse(child.stdout, output, target, signal);
    const [code] = await ended;
    if (input.errored) throw damaged(source, input.errored.message, input.errored);
    if (code !== 0) throw damaged(source, words.trim().split('\n').at(-1) ?? `${program} ended with ${code}`);
    return sizeBytes;
  } catch (error) {
    const cause = await ended.then(() => error, (reason: unknown) => reason);
    if (systemCode(cause) !== 'ENOENT') throw error;
    throw new Failure('program-missing', `${source} is compressed with ${format}, and there is no program ${program} to unpack it`,
      `install it: apt install ${debian}, or dnf install ${fedora}`, { cause });
  } finally {
    input.destroy();
    child.kill('SIGKILL');
    await ended.catch(() => undefined);
  }
}

/** Writes a stream to a file, leaving out blocks of zeros; gives the file the stream's size and returns that. */
async function writeSparse(stream: Readable, output: FileHandle, target: string, signal: AbortSignal | undefined): Promise<number> {
  const onAbort = (): void => void stream.destroy(signal ? reasonOf(signal) : undefined);
  signal?.addEventListener('abort', onAbort, { once: true });
  let position = 0;
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      if (signal?.aborted) throw reasonOf(signal);
      if (position + piece.byteLength > MAX_BYTES) throw new Failure('source-too-large', `${target} would have more than 2 TiB`, 'the image format ends there');
      for (let from = 0; from < piece.byteLength; from += BLOCK_BYTES) {
        const block = piece.subarray(from, from + BLOCK_BYTES);
        if (ZEROS.compare(block, 0, block.byteLength, 0, block.byteLength) !== 0) await write(output, target, block, position + from);
      }
      position += piece.byteLength;
    }
    if (signal?.aborted) throw reasonOf(signal);
    await output.truncate(position);
    return position;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

async function write(output: FileHandle, target: string, bytes: Uint8Array, offset: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.byteLength; ) done += (await output.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
  } catch (error) {
    throw new Failure('image-write-failed', `writing ${target} at byte ${offset}: ${messageOf(error)}`, systemCode(error) === 'ENOSPC' ? 'free some space' : undefined, { cause: error });
  }
}

function damaged(source: string, why: string, cause?: unknown): Failure {
  return new Failure('image-damaged', `${source} cannot be unpacked: ${why}`, 'copy it again from where it came from', { cause });
}
