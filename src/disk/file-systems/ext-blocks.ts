import type { ExtSuper } from './ext-super.js';
import { Inconsistent, type Volume } from '../volume.js';

/** A newer content of a block, waiting in the journal at `journalBlock` (a block of the file system). */
export type JournalCopy = { journalBlock: number; isEscaped: boolean };

const JOURNAL_MAGIC = 0xc03b_3998;

/** A file system's blocks: what is in place, and what its journal will put there. */
export class ExtBlocks {
  readonly #volume: Volume;
  readonly #blockBytes: number;
  readonly #firstBlock: number;
  readonly #blockCount: number;
  readonly #journal: ReadonlyMap<number, readonly JournalCopy[]>;

  constructor(
    volume: Volume,
    { blockBytes, blockCount, firstDataBlock }: ExtSuper,
    journal: ReadonlyMap<number, readonly JournalCopy[]> = new Map(),
  ) {
    this.#volume = volume;
    this.#blockBytes = blockBytes;
    this.#firstBlock = firstDataBlock;
    this.#blockCount = blockCount;
    this.#journal = journal;
  }

  /** Part of a block as it will be once the journal is replayed; all of it from `offset` on unless told. */
  async latest(block: number, offset = 0, length = this.#blockBytes - offset): Promise<Buffer> {
    const copy = this.#journal.get(block)?.at(-1);
    return copy ? this.#copy(copy, offset, length) : this.inPlace(block, offset, length);
  }

  /** Every content a block has had since the journal began, the latest last. */
  async *versions(block: number): AsyncGenerator<Buffer> {
    yield this.inPlace(block, 0, this.#blockBytes);
    for (const copy of this.#journal.get(block) ?? []) yield this.#copy(copy, 0, this.#blockBytes);
  }

  /** A block as it is. Throws Inconsistent for one the file system does not have. */
  async inPlace(block: number, offset = 0, length = this.#blockBytes - offset): Promise<Buffer> {
    if (!(block >= this.#firstBlock && block < this.#blockCount))
      throw new Inconsistent(`it refers to block ${block}, and has ${this.#blockCount}`);
    return this.#volume.read(block * this.#blockBytes + offset, length);
  }

  async #copy({ journalBlock, isEscaped }: JournalCopy, offset: number, length: number): Promise<Buffer> {
    const bytes = await this.inPlace(journalBlock, offset, length);
    if (!isEscaped || offset > 0) return bytes;
    const restored = Buffer.from(bytes);
    restored.writeUInt32BE(JOURNAL_MAGIC, 0);
    return restored;
  }
}
