import { BlockMap } from '../../src/frisbee/block-map.js';
import { emptyClientStats } from '../../src/frisbee/client-stats.js';
import type { Message } from '../../src/frisbee/message.js';
import { encode } from '../../src/frisbee/wire.js';
import type { Dice } from '../helpers/mutate.js';

/** One valid message of every kind, numbers at random, many of them plausible for a session of `chunks` chunks. */
export function someMessage(roll: Dice, chunks: number): Message {
  const clientId = roll(4) === 0 ? 42 : roll(0x7fff_ffff);
  const chunk = roll(Math.min(chunks + 1, 0x7fff_ffff));
  const first = roll(1024);
  const size = {
    clientId,
    blocks: roll(0x7fff_ffff),
    chunkBlocks: 1024,
    blockBytes: 1024,
    sizeBytes: BigInt(roll(0x7fff_ffff)) * BigInt(roll(2048)),
  };
  const progress = { clientId, who: roll(0x7fff_ffff), when: roll(0x7fff_ffff), what: roll(4), seq: roll(65536) };
  switch (roll(14)) {
    case 0:
      return { kind: 'join', version: 1, clientId };
    case 1:
      return { kind: 'join', version: 2, ...size };
    case 2:
      return { kind: 'joined', version: 1, blocks: roll(2) * 1024 * roll(0x1f_ffff) };
    case 3:
      return { kind: 'joined', version: 2, ...size };
    case 4:
      return { kind: 'leave', clientId, elapsedSeconds: roll(0x7fff_ffff) };
    case 5:
      return {
        kind: 'leave2',
        clientId,
        elapsedSeconds: roll(1000),
        statsVersion: 1,
        stats: { ...emptyClientStats(), requests: roll(0x7fff_ffff) },
      };
    case 6:
      return { kind: 'progress-request', ...progress };
    case 7:
      return { kind: 'progress', ...progress, summary: roll(2) ? { chunksReceived: chunk, chunksWritten: chunk, bytesWritten: 7n } : null };
    case 8:
    case 9:
      return { kind: 'request', chunk, first: 0, count: 1024 };
    case 10:
      return { kind: 'request', chunk, first, count: 1 + roll(1024 - first) };
    case 11:
      return { kind: 'prequest', chunk, retries: roll(3), map: BlockMap.ofRun(first, 1 + roll(1024 - first)) };
    case 12:
      return { kind: 'prequest', chunk: 0, retries: 1, map: hostileMap(roll) };
    default:
      return { kind: 'block', chunk, block: first, data: Buffer.alloc(1024, 0xee) };
  }
}

/** Maps that are expensive: every second block, single blocks, noise, all. */
function hostileMap(roll: Dice): BlockMap {
  const map = new BlockMap();
  const [step, from] = [1 + roll(4), roll(1024)];
  for (let block = from; block < 1024; block += step) map.add(block);
  return map;
}

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, 0x7fff_ffff, -0x8000_0000, 1023, 1024, 1025, 16, 12, 136, 1032, 1036, 0x0100_0000];

/** Puts a message into `scratch` (of 1400 bytes) and damages it: none, some or many of its words and bytes, and its length. Returns the datagram. */
export function damaged(message: Message, srcIp: number, scratch: Buffer, roll: Dice): Buffer {
  const bytes = encode({ srcIp, message });
  scratch.fill(0, bytes.length);
  scratch.set(bytes);
  let length = bytes.length;
  for (let i = roll(4); i > 0; i--) {
    switch (roll(6)) {
      case 0:
        scratch.writeInt32LE(WORDS[roll(WORDS.length)] ?? 0, 4 * roll(11));
        break;
      case 1:
        scratch.writeUInt32LE(roll(0xffff_ffff), 4 * roll(40));
        break;
      case 2:
        scratch[roll(length || 1)] = roll(256);
        break;
      case 3:
        length = roll(1200);
        break;
      case 4:
        scratch.writeInt32LE(roll(1300) - 20, 8);
        break;
      default:
        break;
    }
  }
  return scratch.subarray(0, length);
}
