import { crc32 } from 'node:zlib';
import type { Failure } from '../util/errors.js';
import { BLOCK_BYTES, CHUNK_BLOCKS } from './geometry.js';
import { fail } from './failures.js';
import { fail as ndzFail } from '../ndz/failures.js';

/** A chunk that is wrong is asked for again so many times, and all chunks together. */
const MAX_PER_CHUNK = 3;
const MAX_TOTAL = 64;
/** Blocks of a chunk's header, which no checksum of the stream covers. */
const HEADER_BLOCKS = 4;

type Refused = { times: number /** of each block, as it came first */; sums: Uint32Array; differed: boolean };

/**
 * What came wrong in one session. A chunk that is no good is damaged in the image, and then comes the same each time, or
 * somebody else sends blocks too (or something on the way changes them), and then it does not. Costs nothing until one is.
 */
export class ChunkFaults {
  readonly #session: string;
  readonly #isRaw: boolean;
  readonly #refused = new Map<number, Refused>();
  #total = 0;
  #last: Failure | null = null;

  /** `session`: group and port, for messages; `isRaw`: nothing looks into the chunks. */
  constructor(session: string, isRaw: boolean) {
    this.#session = session;
    this.#isRaw = isRaw;
  }

  /** What a chunk is to be refused for although nobody has looked into it, or null: `conflict` is a block that came twice, with different contents. */
  distrust(chunk: number, conflict: number | null): Failure | null {
    if (conflict === null || (!this.#isRaw && conflict >= HEADER_BLOCKS)) return null; // a checksum tells of the others
    return fail('frisbee-conflict', `chunk ${chunk}: its block ${conflict} came twice, with different contents`, this.#elsewhere);
  }

  /** Takes in a chunk that was refused. Returns when it is to be asked for again; throws the Failure that ends the session. */
  refuse(chunk: number, bytes: Uint8Array, conflict: number | null, why: Failure): void {
    const before = this.#refused.get(chunk);
    const sums = sumsOf(bytes);
    const differed =
      conflict !== null || (before !== undefined && (before.differed || before.sums.some((sum, block) => sum !== sums[block])));
    const refused = { times: (before?.times ?? 0) + 1, sums: before?.sums ?? sums, differed };
    this.#refused.set(chunk, refused);
    this.#last = why;
    if (refused.times <= MAX_PER_CHUNK && ++this.#total <= MAX_TOTAL) return;
    throw this.#verdict(chunk, refused, why);
  }

  /** A line for people about what came wrong and was good in the end; null when nothing did. */
  note(): string | null {
    if (this.#last === null) return null;
    const numbers = [...this.#refused.keys()].sort((a, b) => a - b);
    const named = numbers.length > 8 ? `${numbers.slice(0, 8).join(', ')}, ...` : numbers.join(', ');
    return `WARNING: ${this.#total} damaged chunk${this.#total === 1 ? ' was' : 's were'} received again (${named}); ${this.#elsewhere} (last: ${this.#last.message})`;
  }

  #verdict(chunk: number, { times, differed }: Refused, why: Failure): Failure {
    const came = times > 1 ? `came ${times} times` : 'came damaged, as others did before';
    if (differed)
      return why.with({
        message: `chunk ${chunk} ${came}, each time wrong and not the same each time: ${this.#elsewhere} (last: ${why.message})`,
        hint: 'use a network, or a group and port, that nobody else is in',
      });
    if (ndzFail.is(why, 'ndz-foreign-image')) return why; // it says so itself
    const same = times > 1 ? `${came}, the same each time` : came;
    return why.with({
      message: `${why.message}; ${same}: the image is damaged there, or ${this.#elsewhere}`,
      hint: 'imaging-image verify on the server tells which',
    });
  }

  get #elsewhere(): string {
    return `somebody else sends in the session ${this.#session}, or the network damages what passes`;
  }
}

function sumsOf(bytes: Uint8Array): Uint32Array {
  return Uint32Array.from({ length: CHUNK_BLOCKS }, (_, block) => crc32(bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)));
}
