import type { Envelope, Message } from './message.js';
import { BlockMap, MAP_BYTES } from './block-map.js';
import { BLOCK_BYTES, CHUNK_BLOCKS } from './geometry.js';
import { readClientStats, writeClientStats } from './client-stats.js';

const HEADER_BYTES = 16;
/** Where fields lie in a datagram: of the header, then of each body. */
const HEADER = { type: 0, subtype: 4, bodyBytes: 8, srcIp: 12 } as const;
const JOIN = { clientId: 16 } as const;
const JOINED = { blocks: 16 } as const;
const JOIN2 = { clientId: 16, blocks: 20, chunkBlocks: 24, blockBytes: 28, sizeBytes: 32 } as const;
const LEAVE = { clientId: 16, elapsedSeconds: 20, statsVersion: 24, stats: 28 } as const;
const BLOCK = { chunk: 16, block: 20, data: 24 } as const;
const RUN = { chunk: 16, first: 20, count: 24 } as const;
const MAP = { chunk: 16, retries: 20, map: 24 } as const;
const PROGRESS = { clientId: 16, who: 20, when: 24, what: 28, seq: 30, chunksReceived: 32, chunksWritten: 36, bytesWritten: 40 } as const;

/** Length of a BLOCK datagram. */
export const BLOCK_DATAGRAM_BYTES = HEADER_BYTES + 8 + BLOCK_BYTES;
/** Where a BLOCK datagram's data begin. */
export const BLOCK_DATA_OFFSET = BLOCK.data;
/** The subtype of BLOCK, for receivers that must throw their own blocks away early. */
export const SUBTYPE_BLOCK = 3;

const REQUEST = 1;
const REPLY = 2;
const LEAVE2_BODY = 1036;
const PROGRESS_BODY = 16;
const PROGRESS_SUMMARY_BODY = 32;
const PROGRESS_REPORT_BODY = 1060;

const SUBTYPE = { join: 1, leave: 2, block: SUBTYPE_BLOCK, request: 4, leave2: 5, prequest: 6, join2: 7, progress: 8 } as const;

/** Reads one datagram; null when it is not a valid message. Never throws, keeps no reference but a BLOCK's `data`. */
export function decode(bytes: Buffer): Envelope | null {
  if (bytes.length < HEADER_BYTES) return null;
  const bodyBytes = bytes.readInt32LE(HEADER.bodyBytes);
  if (bodyBytes < 0 || bytes.length < HEADER_BYTES + bodyBytes) return null;
  const message = decodeBody(bytes, bytes.readInt32LE(HEADER.type), bytes.readInt32LE(HEADER.subtype), bodyBytes);
  return message && { srcIp: bytes.readUInt32BE(HEADER.srcIp), message };
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
      return bodyBytes < 4 ? null : { kind: 'join', version: 1, clientId: bytes.readUInt32LE(JOIN.clientId) };
    case SUBTYPE.join2:
      return bodyBytes < 24 ? null : { kind: 'join', version: 2, ...readJoin2(bytes) };
    case SUBTYPE.leave:
      return bodyBytes < 8
        ? null
        : { kind: 'leave', clientId: bytes.readUInt32LE(LEAVE.clientId), elapsedSeconds: bytes.readInt32LE(LEAVE.elapsedSeconds) };
    case SUBTYPE.leave2:
      return bodyBytes < LEAVE2_BODY ? null : decodeLeave2(bytes);
    case SUBTYPE.progress:
      return bodyBytes < PROGRESS_BODY ? null : { kind: 'progress-request', ...readProgress(bytes) };
    default:
      return null;
  }
}

function decodeReply(bytes: Buffer, subtype: number, bodyBytes: number): Message | null {
  if (subtype === SUBTYPE.join && bodyBytes >= 4) return { kind: 'joined', version: 1, blocks: bytes.readInt32LE(JOINED.blocks) };
  if (subtype === SUBTYPE.join2 && bodyBytes >= 24) return { kind: 'joined', version: 2, ...readJoin2(bytes) };
  if (subtype !== SUBTYPE.progress || bodyBytes < PROGRESS_BODY) return null;
  const summary =
    bodyBytes < PROGRESS_SUMMARY_BODY
      ? null
      : {
          chunksReceived: bytes.readUInt32LE(PROGRESS.chunksReceived),
          chunksWritten: bytes.readUInt32LE(PROGRESS.chunksWritten),
          bytesWritten: bytes.readBigUInt64LE(PROGRESS.bytesWritten),
        };
  return { kind: 'progress', ...readProgress(bytes), summary };
}

function decodeBlock(bytes: Buffer): Message | null {
  const chunk = bytes.readInt32LE(BLOCK.chunk);
  const block = bytes.readInt32LE(BLOCK.block);
  if (chunk < 0 || block < 0 || block >= CHUNK_BLOCKS) return null;
  return { kind: 'block', chunk, block, data: bytes.subarray(BLOCK_DATA_OFFSET, BLOCK_DATAGRAM_BYTES) };
}

function decodeRequest(bytes: Buffer): Message | null {
  const chunk = bytes.readInt32LE(RUN.chunk);
  const first = bytes.readInt32LE(RUN.first);
  const count = bytes.readInt32LE(RUN.count);
  if (chunk < 0 || first < 0 || count <= 0 || first + count > CHUNK_BLOCKS) return null;
  return { kind: 'request', chunk, first, count };
}

function decodePartialRequest(bytes: Buffer): Message | null {
  const chunk = bytes.readInt32LE(MAP.chunk);
  const map = new BlockMap(bytes.subarray(MAP.map, MAP.map + MAP_BYTES));
  if (chunk < 0 || map.count === 0) return null;
  return { kind: 'prequest', chunk, retries: bytes.readInt32LE(MAP.retries), map };
}

function decodeLeave2(bytes: Buffer): Message {
  return {
    kind: 'leave2',
    clientId: bytes.readUInt32LE(LEAVE.clientId),
    elapsedSeconds: bytes.readInt32LE(LEAVE.elapsedSeconds),
    statsVersion: bytes.readInt32LE(LEAVE.statsVersion),
    stats: readClientStats(bytes, LEAVE.stats),
  };
}

function readJoin2(bytes: Buffer): { clientId: number; blocks: number; chunkBlocks: number; blockBytes: number; sizeBytes: bigint } {
  return {
    clientId: bytes.readUInt32LE(JOIN2.clientId),
    blocks: bytes.readInt32LE(JOIN2.blocks),
    chunkBlocks: bytes.readInt32LE(JOIN2.chunkBlocks),
    blockBytes: bytes.readInt32LE(JOIN2.blockBytes),
    sizeBytes: bytes.readBigUInt64LE(JOIN2.sizeBytes),
  };
}

function readProgress(bytes: Buffer): { clientId: number; who: number; when: number; what: number; seq: number } {
  return {
    clientId: bytes.readUInt32LE(PROGRESS.clientId),
    who: bytes.readUInt32BE(PROGRESS.who),
    when: bytes.readUInt32LE(PROGRESS.when),
    what: bytes.readUInt16LE(PROGRESS.what),
    seq: bytes.readUInt16LE(PROGRESS.seq),
  };
}

/** Writes one datagram, exactly as long as the 2015 programs make it. Numbers must fit their fields. */
export function encode({ srcIp, message }: Envelope): Buffer {
  switch (message.kind) {
    case 'join':
      if (message.version === 2) return encodeJoin2(REQUEST, srcIp, message);
      return withWord(newDatagram(REQUEST, SUBTYPE.join, 4, srcIp), JOIN.clientId, message.clientId);
    case 'joined':
      if (message.version === 2) return encodeJoin2(REPLY, srcIp, message);
      return withWord(newDatagram(REPLY, SUBTYPE.join, 4, srcIp), JOINED.blocks, message.blocks);
    case 'leave': {
      const bytes = withWord(newDatagram(REQUEST, SUBTYPE.leave, 8, srcIp), LEAVE.clientId, message.clientId);
      return withWord(bytes, LEAVE.elapsedSeconds, message.elapsedSeconds);
    }
    case 'leave2': {
      const bytes = withWord(newDatagram(REQUEST, SUBTYPE.leave2, LEAVE2_BODY, srcIp), LEAVE.clientId, message.clientId);
      withWord(bytes, LEAVE.elapsedSeconds, message.elapsedSeconds);
      writeClientStats(message.stats, withWord(bytes, LEAVE.statsVersion, message.statsVersion), LEAVE.stats);
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
      return withWord(bytes, RUN.count, message.count);
    }
    case 'prequest': {
      const bytes = newDatagram(REQUEST, SUBTYPE.prequest, 8 + MAP_BYTES, srcIp);
      setBlockPosition(bytes, message.chunk, message.retries);
      bytes.set(message.map.bytes, MAP.map);
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
  if (
    bytes.length < BLOCK_DATAGRAM_BYTES ||
    bytes.readInt32LE(HEADER.subtype) !== SUBTYPE.block ||
    bytes.readInt32LE(HEADER.type) !== REQUEST
  )
    return false;
  const bodyBytes = bytes.readInt32LE(HEADER.bodyBytes);
  return bodyBytes >= 8 + BLOCK_BYTES && bytes.length >= HEADER_BYTES + bodyBytes;
}

/** A BLOCK's sender, chunk and block, as written there by whoever sent it. */
export const blockSrcIp = (bytes: Buffer): number => bytes.readUInt32BE(HEADER.srcIp);
export const blockChunk = (bytes: Buffer): number => bytes.readInt32LE(BLOCK.chunk);
export const blockNumber = (bytes: Buffer): number => bytes.readInt32LE(BLOCK.block);

/** Fills in which block a BLOCK datagram carries. */
export function setBlockPosition(datagram: Buffer, chunk: number, block: number): void {
  datagram.writeInt32LE(chunk, BLOCK.chunk);
  datagram.writeInt32LE(block, BLOCK.block);
}

function newDatagram(type: number, subtype: number, bodyBytes: number, srcIp: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + bodyBytes);
  bytes.writeInt32LE(type, HEADER.type);
  bytes.writeInt32LE(subtype, HEADER.subtype);
  bytes.writeInt32LE(bodyBytes, HEADER.bodyBytes);
  bytes.writeUInt32BE(srcIp >>> 0, HEADER.srcIp);
  return bytes;
}

function withWord(bytes: Buffer, offset: number, value: number): Buffer {
  bytes.writeUInt32LE(value >>> 0, offset);
  return bytes;
}

function encodeJoin2(type: number, srcIp: number, message: ReturnType<typeof readJoin2>): Buffer {
  const bytes = withWord(newDatagram(type, SUBTYPE.join2, 24, srcIp), JOIN2.clientId, message.clientId);
  bytes.writeInt32LE(message.blocks, JOIN2.blocks);
  bytes.writeInt32LE(message.chunkBlocks, JOIN2.chunkBlocks);
  bytes.writeInt32LE(message.blockBytes, JOIN2.blockBytes);
  bytes.writeBigUInt64LE(message.sizeBytes, JOIN2.sizeBytes);
  return bytes;
}

function withProgress(bytes: Buffer, message: ReturnType<typeof readProgress>): Buffer {
  withWord(bytes, PROGRESS.clientId, message.clientId);
  bytes.writeUInt32BE(message.who, PROGRESS.who);
  withWord(bytes, PROGRESS.when, message.when);
  bytes.writeUInt16LE(message.what, PROGRESS.what);
  bytes.writeUInt16LE(message.seq, PROGRESS.seq);
  return bytes;
}

function encodeProgress(srcIp: number, message: Message & { kind: 'progress' }): Buffer {
  const bodyBytes = message.summary ? PROGRESS_REPORT_BODY : PROGRESS_BODY;
  const bytes = withProgress(newDatagram(REPLY, SUBTYPE.progress, bodyBytes, srcIp), message);
  if (!message.summary) return bytes;
  withWord(bytes, PROGRESS.chunksReceived, message.summary.chunksReceived);
  withWord(bytes, PROGRESS.chunksWritten, message.summary.chunksWritten);
  bytes.writeBigUInt64LE(message.summary.bytesWritten, PROGRESS.bytesWritten);
  return bytes;
}
