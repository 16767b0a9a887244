import { BlockMap, MAP_BYTES } from './block-map.js';
import { BLOCK_BYTES, CHUNK_BLOCKS } from './geometry.js';
import { CLIENT_STATS_BYTES, type ClientStats, readClientStats, writeClientStats } from './client-stats.js';

/**
 * The frisbee protocol as the 2011-2016 programs speak it: UDP datagrams of a 16-byte header and a body, everything
 * little-endian in C layout but the sender's address. Verified against captures of the 2015 binaries.
 */
export type Message =
  | { kind: 'join'; version: 1; clientId: number }
  | { kind: 'join'; version: 2; clientId: number; blocks: number; chunkBlocks: number; blockBytes: number; sizeBytes: bigint }
  | { kind: 'joined'; version: 1; blocks: number }
  | { kind: 'joined'; version: 2; clientId: number; blocks: number; chunkBlocks: number; blockBytes: number; sizeBytes: bigint }
  | { kind: 'leave'; clientId: number; elapsedSeconds: number }
  | { kind: 'leave2'; clientId: number; elapsedSeconds: number; statsVersion: number; stats: ClientStats }
  | { kind: 'block'; chunk: number; block: number /** 1024 bytes, a view of the datagram */; data: Uint8Array }
  | { kind: 'request'; chunk: number; first: number; count: number }
  | { kind: 'prequest'; chunk: number /** 0: the first time this client asks for the chunk */; retries: number; map: BlockMap }
  | { kind: 'progress-request'; clientId: number; who: number; when: number; what: number; seq: number }
  | { kind: 'progress'; clientId: number; who: number; when: number; what: number; seq: number; summary: ProgressSummary | null };

/** What a PROGRESS report (releases after 2016) says of a client. */
export type ProgressSummary = { chunksReceived: number; chunksWritten: number; bytesWritten: bigint };

/** A message and its sender's claimed address (IPv4 as an unsigned number, first byte highest). */
export type Envelope<M extends Message = Message> = { srcIp: number; message: M };

export const HEADER_BYTES = 16;
/** Length of a BLOCK datagram. */
export const BLOCK_DATAGRAM_BYTES = HEADER_BYTES + 8 + BLOCK_BYTES;
/** Where a BLOCK datagram's data begin. */
export const BLOCK_DATA_OFFSET = HEADER_BYTES + 8;
/** The subtype of BLOCK, for receivers that must throw their own blocks away early. */
export const SUBTYPE_BLOCK = 3;

const REQUEST = 1;
const REPLY = 2;
const STATS_OFFSET = 28;
const LEAVE2_BODY = 1036;
const PROGRESS_BODY = 16;
const PROGRESS_SUMMARY_BODY = 32;
const PROGRESS_REPORT_BODY = 1060;
const MAX_CLIENT_COUNT_FIELD = 0x7fff_ffff;

const SUBTYPE = { join: 1, leave: 2, block: SUBTYPE_BLOCK, request: 4, leave2: 5, prequest: 6, join2: 7, progress: 8 } as const;

/** Reads one datagram; null when it is not a valid message. Never throws, keeps no reference but a BLOCK's `data`. */
export function decode(bytes: Buffer): Envelope | null {
  if (bytes.length < HEADER_BYTES) return null;
  const bodyBytes = bytes.readInt32LE(8);
  if (bodyBytes < 0 || bytes.length < HEADER_BYTES + bodyBytes) return null;
  const message = decodeBody(bytes, bytes.readInt32LE(0), bytes.readInt32LE(4), bodyBytes);
  return message && { srcIp: bytes.readUInt32BE(12), message };
}

function decodeBody(bytes: Buffer, type: number, subtype: number, bodyBytes: number): Message | null {
  if (type === REPLY) return decodeReply(bytes, subtype, bodyBytes);
  if (type !== REQUEST) return null;
  switch (subtype) {
    case SUBTYPE.block:
      return bodyBytes < 8 + BLOCK_BYTES ? null : decodeBlock(bytes);
    case SUBTYPE.request:
      return bodyBytes < 12 ? null : decodeRequest(bytes);
    case SUBTYPE.prequest:
      return bodyBytes < 8 + MAP_BYTES ? null : decodePartialRequest(bytes);
    case SUBTYPE.join:
      return bodyBytes < 4 ? null : { kind: 'join', version: 1, clientId: bytes.readUInt32LE(16) };
    case SUBTYPE.join2:
      return bodyBytes < 24 ? null : { kind: 'join', version: 2, ...readJoin2(bytes) };
    case SUBTYPE.leave:
      return bodyBytes < 8 ? null : { kind: 'leave', clientId: bytes.readUInt32LE(16), elapsedSeconds: bytes.readInt32LE(20) };
    case SUBTYPE.leave2:
      return bodyBytes < LEAVE2_BODY ? null : decodeLeave2(bytes);
    case SUBTYPE.progress:
      return bodyBytes < PROGRESS_BODY ? null : { kind: 'progress-request', ...readProgress(bytes) };
    default:
      return null;
  }
}

function decodeReply(bytes: Buffer, subtype: number, bodyBytes: number): Message | null {
  if (subtype === SUBTYPE.join && bodyBytes >= 4) return { kind: 'joined', version: 1, blocks: bytes.readInt32LE(16) };
  if (subtype === SUBTYPE.join2 && bodyBytes >= 24) return { kind: 'joined', version: 2, ...readJoin2(bytes) };
  if (subtype !== SUBTYPE.progress || bodyBytes < PROGRESS_BODY) return null;
  const summary =
    bodyBytes < PROGRESS_SUMMARY_BODY
      ? null
      : { chunksReceived: bytes.readUInt32LE(32), chunksWritten: bytes.readUInt32LE(36), bytesWritten: bytes.readBigUInt64LE(40) };
  return { kind: 'progress', ...readProgress(bytes), summary };
}

function decodeBlock(bytes: Buffer): Message | null {
  const chunk = bytes.readInt32LE(16);
  const block = bytes.readInt32LE(20);
  if (chunk < 0 || block < 0 || block >= CHUNK_BLOCKS) return null;
  return { kind: 'block', chunk, block, data: bytes.subarray(BLOCK_DATA_OFFSET, BLOCK_DATAGRAM_BYTES) };
}

function decodeRequest(bytes: Buffer): Message | null {
  const chunk = bytes.readInt32LE(16);
  const first = bytes.readInt32LE(20);
  const count = bytes.readInt32LE(24);
  if (chunk < 0 || first < 0 || count <= 0 || first + count > CHUNK_BLOCKS) return null;
  return { kind: 'request', chunk, first, count };
}

function decodePartialRequest(bytes: Buffer): Message | null {
  const chunk = bytes.readInt32LE(16);
  const map = new BlockMap(bytes.subarray(24, 24 + MAP_BYTES));
  if (chunk < 0 || map.count === 0) return null;
  return { kind: 'prequest', chunk, retries: bytes.readInt32LE(20), map };
}

function decodeLeave2(bytes: Buffer): Message {
  return {
    kind: 'leave2',
    clientId: bytes.readUInt32LE(16),
    elapsedSeconds: bytes.readInt32LE(20),
    statsVersion: bytes.readInt32LE(24),
    stats: readClientStats(bytes, STATS_OFFSET),
  };
}

function readJoin2(bytes: Buffer): { clientId: number; blocks: number; chunkBlocks: number; blockBytes: number; sizeBytes: bigint } {
  return {
    clientId: bytes.readUInt32LE(16),
    blocks: bytes.readInt32LE(20),
    chunkBlocks: bytes.readInt32LE(24),
    blockBytes: bytes.readInt32LE(28),
    sizeBytes: bytes.readBigUInt64LE(32),
  };
}

function readProgress(bytes: Buffer): { clientId: number; who: number; when: number; what: number; seq: number } {
  return {
    clientId: bytes.readUInt32LE(16),
    who: bytes.readUInt32BE(20),
    when: bytes.readUInt32LE(24),
    what: bytes.readUInt16LE(28),
    seq: bytes.readUInt16LE(30),
  };
}

/** Writes one datagram, exactly as long as the 2015 programs make it. Numbers must fit their fields. */
export function encode({ srcIp, message }: Envelope): Buffer {
  switch (message.kind) {
    case 'join':
      if (message.version === 2) return encodeJoin2(REQUEST, srcIp, message);
      return withWord(newDatagram(REQUEST, SUBTYPE.join, 4, srcIp), 16, message.clientId);
    case 'joined':
      if (message.version === 2) return encodeJoin2(REPLY, srcIp, message);
      return withWord(newDatagram(REPLY, SUBTYPE.join, 4, srcIp), 16, message.blocks);
    case 'leave': {
      const bytes = withWord(newDatagram(REQUEST, SUBTYPE.leave, 8, srcIp), 16, message.clientId);
      return withWord(bytes, 20, message.elapsedSeconds);
    }
    case 'leave2': {
      const bytes = withWord(newDatagram(REQUEST, SUBTYPE.leave2, LEAVE2_BODY, srcIp), 16, message.clientId);
      withWord(bytes, 20, message.elapsedSeconds);
      writeClientStats(message.stats, withWord(bytes, 24, message.statsVersion), STATS_OFFSET);
      return bytes;
    }
    case 'block': {
      const bytes = newDatagram(REQUEST, SUBTYPE.block, 8 + BLOCK_BYTES, srcIp);
      setBlockPosition(bytes, message.chunk, message.block);
      bytes.set(message.data.subarray(0, BLOCK_BYTES), BLOCK_DATA_OFFSET);
      return bytes;
    }
    case 'request': {
      const bytes = newDatagram(REQUEST, SUBTYPE.request, 12, srcIp);
      setBlockPosition(bytes, message.chunk, message.first);
      return withWord(bytes, 24, message.count);
    }
    case 'prequest': {
      const bytes = newDatagram(REQUEST, SUBTYPE.prequest, 8 + MAP_BYTES, srcIp);
      setBlockPosition(bytes, message.chunk, message.retries);
      bytes.set(message.map.bytes, 24);
      return bytes;
    }
    case 'progress-request':
      return withProgress(newDatagram(REQUEST, SUBTYPE.progress, PROGRESS_BODY, srcIp), message);
    case 'progress':
      return encodeProgress(srcIp, message);
  }
}

/** A BLOCK datagram whose position and data are still to be filled in, for senders that reuse their buffers. */
export function newBlockDatagram(srcIp: number): Buffer {
  return newDatagram(REQUEST, SUBTYPE.block, 8 + BLOCK_BYTES, srcIp);
}

/** Whether a datagram is a BLOCK as `decode` would accept it; where its fields are is the same in all of them. */
export function isBlock(bytes: Buffer): boolean {
  if (bytes.length < BLOCK_DATAGRAM_BYTES || bytes.readInt32LE(4) !== SUBTYPE.block || bytes.readInt32LE(0) !== REQUEST) return false;
  const bodyBytes = bytes.readInt32LE(8);
  return bodyBytes >= 8 + BLOCK_BYTES && bytes.length >= HEADER_BYTES + bodyBytes;
}

/** A BLOCK's sender, chunk and block, as written there by whoever sent it. */
export const blockSrcIp = (bytes: Buffer): number => bytes.readUInt32BE(12);
export const blockChunk = (bytes: Buffer): number => bytes.readInt32LE(16);
export const blockNumber = (bytes: Buffer): number => bytes.readInt32LE(20);

/** Fills in which block a BLOCK datagram carries. */
export function setBlockPosition(datagram: Buffer, chunk: number, block: number): void {
  datagram.writeInt32LE(chunk, 16);
  datagram.writeInt32LE(block, 20);
}

function newDatagram(type: number, subtype: number, bodyBytes: number, srcIp: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + bodyBytes);
  bytes.writeInt32LE(type, 0);
  bytes.writeInt32LE(subtype, 4);
  bytes.writeInt32LE(bodyBytes, 8);
  bytes.writeUInt32BE(srcIp >>> 0, 12);
  return bytes;
}

function withWord(bytes: Buffer, offset: number, value: number): Buffer {
  bytes.writeUInt32LE(value >>> 0, offset);
  return bytes;
}

function encodeJoin2(type: number, srcIp: number, message: ReturnType<typeof readJoin2>): Buffer {
  const bytes = withWord(newDatagram(type, SUBTYPE.join2, 24, srcIp), 16, message.clientId);
  bytes.writeInt32LE(message.blocks, 20);
  bytes.writeInt32LE(message.chunkBlocks, 24);
  bytes.writeInt32LE(message.blockBytes, 28);
  bytes.writeBigUInt64LE(message.sizeBytes, 32);
  return bytes;
}

function withProgress(bytes: Buffer, message: ReturnType<typeof readProgress>): Buffer {
  withWord(bytes, 16, message.clientId);
  bytes.writeUInt32BE(message.who, 20);
  withWord(bytes, 24, message.when);
  bytes.writeUInt16LE(message.what, 28);
  bytes.writeUInt16LE(message.seq, 30);
  return bytes;
}

function encodeProgress(srcIp: number, message: Message & { kind: 'progress' }): Buffer {
  const bodyBytes = message.summary ? PROGRESS_REPORT_BODY : PROGRESS_BODY;
  const bytes = withProgress(newDatagram(REPLY, SUBTYPE.progress, bodyBytes, srcIp), message);
  if (!message.summary) return bytes;
  withWord(bytes, 32, message.summary.chunksReceived);
  withWord(bytes, 36, message.summary.chunksWritten);
  bytes.writeBigUInt64LE(message.summary.bytesWritten, 40);
  return bytes;
}

/** A random client id: 31 bits, never 0. */
export function randomClientId(random: () => number): number {
  return 1 + Math.floor(random() * (MAX_CLIENT_COUNT_FIELD - 1));
}

/** Number of bytes of LEAVE2's statistics that mean something; the rest is zero. */
export const LEAVE2_STATS_END = STATS_OFFSET + CLIENT_STATS_BYTES;
