import { reasonOf } from '../util/abort.js';
import { Failure, messageOf } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { FileWindow } from './file-window.js';
import { FOREIGN_HEAD_BYTES, foreignFormat } from './foreign-formats.js';
import { formatOf } from './formats.js';
import { gunzipMembers } from './gzip-members.js';
import type { PackedFormat } from './packed-magics.js';
import { refuseEndless, refuseTooLarge, type DiskLimits } from './room.js';
import { SparseFile } from './sparse-file.js';
import { unpackByProgram } from './unpack-program.js';
import { fail } from './failures.js';

export type UnpackOptions = {
  host: Host;
  limits: DiskLimits;
  signal?: AbortSignal;
  /** Gets how much of the packed file has been read. */
  onBytes?: (packedBytes: number) => void;
  /** Gets how much the medium will take next; may throw. */
  beforeWrite?: (bytes: number) => void;
};

/** `notes`: sentences for people. */
export type Unpacked = { sizeBytes: number; notes: string[] };

/**
 * Unpacks a compressed file, all parts of it, into the new file `target`, with holes for zeros. What is cut or damaged is an
 * error; zeros behind the data are nothing, other bytes a note. Messages name `source` alone.
 * Throws Failure `image-damaged`, `image-unknown` for what holds no disk, `source-too-large`, `bmap-mismatch`,
 * `program-missing`, `ndz-unreadable`, `image-write-failed`, what `beforeWrite` throws, or the signal's reason.
 */
export async function unpack(source: string, format: PackedFormat, target: string, options: UnpackOptions): Promise<Unpacked> {
  const input = await FileWindow.open(source);
  try {
    const output = await SparseFile.create(target, options.beforeWrite ?? (() => undefined));
    try {
      return await pour(input, format, output, options);
    } finally {
      await output.close();
    }
  } catch (error) {
    if (options.signal?.aborted) throw reasonOf(options.signal);
    if (error instanceof Failure) throw named(error, target, source);
    throw fail('image-damaged', `${source} cannot be unpacked: ${messageOf(error)}`, 'copy it again from where it came from', {
      cause: error,
    });
  } finally {
    await input.close();
  }
}

async function pour(
  input: FileWindow,
  format: PackedFormat,
  output: SparseFile,
  { host, limits, signal, onBytes }: UnpackOptions,
): Promise<Unpacked> {
  const notes: string[] = [];
  const what = `what ${input.path} holds`;
  let [packedBytes, declaredBytes] = [0, 0];
  const events = {
    onBytes: (bytes: number) => onBytes?.((packedBytes = bytes)),
    onNote: (note: string) => notes.push(`${note}: signatures are often there`),
    onContent: (bytes: number) => refuseTooLarge(what, (declaredBytes += bytes), limits),
  };
  const head = new DiskHead(input.path);
  const pieces = format === 'gzip' ? gunzipMembers(input, events) : unpackByProgram(input, format, host, events, signal);
  for await (const piece of pieces) {
    if (signal?.aborted) throw reasonOf(signal);
    head.add(piece);
    refuseTooLarge(what, output.sizeBytes + piece.byteLength, limits);
    refuseEndless(what, output.sizeBytes + piece.byteLength, packedBytes, head.bytes);
    await output.write(piece);
  }
  if (signal?.aborted) throw reasonOf(signal);
  head.finish();
  await output.finish();
  return { sizeBytes: output.sizeBytes, notes };
}

function named(failure: Failure, target: string, source: string): Failure {
  return failure.message.includes(target) ? failure.with({ message: failure.message.replaceAll(target, `what ${source} holds`) }) : failure;
}

/** The first bytes of what is unpacked, in which it shows at once that it is no disk. */
class DiskHead {
  bytes = Buffer.alloc(0);
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(piece: Buffer): void {
    if (this.bytes.byteLength >= FOREIGN_HEAD_BYTES) return;
    this.bytes = Buffer.concat([this.bytes, piece]).subarray(0, FOREIGN_HEAD_BYTES);
    if (this.bytes.byteLength === FOREIGN_HEAD_BYTES) this.finish();
  }

  /** Throws Failure `image-unknown`. */
  finish(): void {
    const format = formatOf(this.bytes);
    if (format === 'ndz') return;
    const foreign =
      format === 'raw'
        ? foreignFormat(this.bytes)
        : { is: `compressed once more, by ${format}`, instead: 'unpack it once, and load what comes out' };
    if (foreign) throw fail('image-unknown', `what ${this.#path} holds is ${foreign.is}, not an image`, foreign.instead);
  }
}
