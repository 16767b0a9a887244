import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { Failure, messageOf } from '../util/errors.js';
import { lookBehind } from './behind.js';
import type { FileWindow } from './file-window.js';
import { PACKED_MAGICS } from './packed-magics.js';

const CHUNK_BYTES = 256 * 1024;
/** Name, comment and extra field; gzip itself knows no limit. */
const MAX_HEADER_BYTES = 1024 * 1024;
const TRAILER_BYTES = 8;
const MAGIC = PACKED_MAGICS.gzip;
const FLAGS = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10, unknown: 0xe0 } as const;

export type GzipEvents = { onBytes: (readBytes: number) => void /** Gets a sentence for people. */; onNote: (note: string) => void };

/**
 * What all members of a gzip file hold (RFC 1952), each checked by its length and CRC. Node's own gunzip ends at a zero
 * byte behind a member, whatever follows, and fails at any other one; gzip itself passes over both, as is done here.
 * Throws Error for a member that is cut or damaged, a Failure of the reading.
 */
export async function* gunzipMembers(input: FileWindow, events: GzipEvents): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    try {
      at = yield* oneMember(input, at, events);
    } catch (error) {
      if (error instanceof Failure || at === 0) throw error;
      throw new Error(`its part that begins at byte ${at}: ${messageOf(error)}`, { cause: error });
    }
    const behind = await lookBehind(input, at, MAGIC);
    if (behind.is === 'damaged') throw new Error(`what begins at byte ${behind.at} looks like another part whose first bytes are damaged`);
    if (behind.is === 'others') events.onNote(behind.note);
    if (behind.is !== 'member') return;
    at = behind.at;
  }
}

/** Returns where it ends. */
async function* oneMember(input: FileWindow, begin: number, { onBytes }: GzipEvents): AsyncGenerator<Buffer, number> {
  const start = await headerEnd(input, begin);
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  const feed = Readable.from(input.range(start, input.sizeBytes), { highWaterMark: 1 });
  feed.on('error', (error) => inflate.destroy(error)).pipe(inflate);
  let [checksum, length] = [0, 0];
  try {
    for await (const piece of inflate as AsyncIterable<Buffer>) {
      checksum = crc32(piece, checksum);
      length += piece.byteLength;
      onBytes(start + inflate.bytesWritten);
      yield piece;
    }
  } finally {
    feed.destroy();
    inflate.destroy();
  }
  const end = start + inflate.bytesWritten;
  const trailer = await input.bytes(end, TRAILER_BYTES);
  if (trailer.byteLength < TRAILER_BYTES) throw new Error('unexpected end of file');
  if (trailer.readUInt32LE(0) !== checksum) throw new Error('incorrect data check');
  if (trailer.readUInt32LE(4) !== length % 2 ** 32) throw new Error('incorrect length check');
  return end + TRAILER_BYTES;
}

async function headerEnd(input: FileWindow, begin: number): Promise<number> {
  const head = await input.bytes(begin, 10);
  if (head.byteLength < 10) throw new Error('unexpected end of file');
  const flags = head.readUInt8(3);
  if (head[2] !== MAGIC[2] || (flags & FLAGS.unknown) !== 0) throw new Error('incorrect header check');
  let at = begin + 10;
  if (flags & FLAGS.extra) at += 2 + word(await input.bytes(at, 2));
  for (const flag of [FLAGS.name, FLAGS.comment]) if (flags & flag) at = await textEnd(input, at, begin + MAX_HEADER_BYTES);
  return flags & FLAGS.headerCrc ? at + 2 : at;
}

function word(bytes: Buffer): number {
  if (bytes.byteLength < 2) throw new Error('unexpected end of file');
  return bytes.readUInt16LE(0);
}

/** Behind the zero byte that ends a text. */
async function textEnd(input: FileWindow, from: number, limit: number): Promise<number> {
  for (let at = from; at < limit; ) {
    const block = await input.from(at);
    if (block.byteLength === 0) throw new Error('unexpected end of file');
    const zero = block.indexOf(0);
    if (zero >= 0) return at + zero + 1;
    at += block.byteLength;
  }
  throw new Error('incorrect header check');
}
