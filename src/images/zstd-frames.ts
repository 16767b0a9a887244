import { lookBehind } from './behind.js';
import type { FileWindow } from './file-window.js';
import { PACKED_MAGICS } from './packed-magics.js';

/** Bytes that tell a skippable frame and its length. */
export const SKIPPABLE_HEAD_BYTES = 8;
const MAX_HEADER_BYTES = 18;
const FEED_BYTES = 128 * 1024;

/** Whether a skippable frame begins here: zstd and lz4 share them. */
export function isSkippable(head: Uint8Array): boolean {
  return (
    head.byteLength >= SKIPPABLE_HEAD_BYTES && ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18
  );
}

/** The length of a skippable frame, its head included. */
export function skippableBytes(head: Buffer): number {
  return SKIPPABLE_HEAD_BYTES + head.readUInt32LE(4);
}

type FrameHeader = { headerBytes: number; hasChecksum: boolean; contentBytes: number | null };

export type FrameEvents = {
  /** Gets what a frame says that it will be unpacked. */
  onContent: (bytes: number) => void;
  /** Gets a sentence for people. */
  onNote: (note: string) => void;
};

const MAGIC = PACKED_MAGICS.zstd;

/**
 * The frames of a zstd file that hold data, in pieces, for a decompressor: skippable ones, zeros between frames and what
 * lies behind the last one are left out. Walks from block to block (RFC 8878, 3.1); nothing is decompressed.
 * Throws Error for a file that is cut inside a frame, or goes on with something damaged.
 */
export async function* zstdFrames(input: FileWindow, events: FrameEvents): AsyncGenerator<Buffer> {
  let at = 0;
  while (at < input.sizeBytes) {
    const head = await input.bytes(at, MAX_HEADER_BYTES);
    if (isSkippable(head)) at = within(input, at, at + skippableBytes(head));
    else if (MAGIC.every((byte, i) => head[i] === byte)) at = yield* oneFrame(input, at, head, events);
    else {
      const behind = await lookBehind(input, at, MAGIC, isSkippable);
      if (behind.is === 'damaged') throw new Error(`what begins at byte ${behind.at} looks like a damaged frame`);
      if (behind.is === 'member') at = behind.at;
      else {
        if (behind.is === 'others') events.onNote(behind.note);
        return;
      }
    }
  }
}

async function* oneFrame(input: FileWindow, start: number, head: Buffer, { onContent }: FrameEvents): AsyncGenerator<Buffer, number> {
  const { headerBytes, hasChecksum, contentBytes } = readHeader(head, start);
  if (contentBytes !== null) onContent(contentBytes);
  let at = start + headerBytes;
  let fed = start;
  for (let isLast = false; !isLast; ) {
    const block = input.cached(at, 3) ?? (await input.bytes(at, 3));
    if (block.byteLength < 3) throw cut(start);
    const word = block.readUIntLE(0, 3);
    isLast = (word & 1) === 1;
    const type = (word >> 1) & 3;
    if (type === 3) throw new Error(`the block at byte ${at} is damaged`);
    at = within(input, start, at + 3 + (type === 1 ? 1 : word >> 3));
    if (at - fed < FEED_BYTES) continue;
    yield* input.range(fed, at);
    fed = at;
  }
  at = within(input, start, at + (hasChecksum ? 4 : 0));
  yield* input.range(fed, at);
  return at;
}

function readHeader(head: Buffer, start: number): FrameHeader {
  if (head.byteLength < 5) throw cut(start);
  const descriptor = head.readUInt8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeAt = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  if (head.byteLength < sizeAt + sizeBytes) throw cut(start);
  const contentBytes =
    sizeBytes === 0
      ? null
      : sizeBytes === 8
        ? Number(head.readBigUInt64LE(sizeAt))
        : head.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  return { headerBytes: sizeAt + sizeBytes, hasChecksum: (descriptor & 4) !== 0, contentBytes };
}

function within(input: FileWindow, start: number, end: number): number {
  if (end > input.sizeBytes) throw cut(start);
  return end;
}

function cut(start: number): Error {
  return new Error(`it is cut: the frame that begins at byte ${start} is not whole`);
}
