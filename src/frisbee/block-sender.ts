import { systemCode } from '../util/errors.js';
import { BLOCK_BYTES } from './geometry.js';
import { BLOCK_DATA_OFFSET, newBlockDatagram, setBlockPosition } from './wire.js';

/** Most blocks on their way into the socket at one time: between two batches the sender must listen. */
export const BATCH_BLOCKS = 32;
const RETRY_MS = 1;

type Slot = { datagram: Buffer; done: (error: Error | null) => void };

/**
 * Puts blocks into datagrams and these into a socket, through a fixed set of buffers: at most one batch is under way.
 * What the kernel has no room for is tried again for ever; other errors are handed to `onError`, which decides.
 */
export class BlockSender {
  retries = 0;
  readonly #slots: Slot[];
  readonly #send: (datagram: Buffer, done: (error: Error | null) => void) => void;
  readonly #onBatchDone: () => void;
  #underWay = 0;
  #failed: Slot[] = [];
  #error: Error | null = null;

  constructor(
    srcIp: number,
    send: (datagram: Buffer, done: (error: Error | null) => void) => void,
    onBatchDone: () => void,
    onError: (error: Error) => void,
  ) {
    this.#send = send;
    this.#onBatchDone = onBatchDone;
    this.#slots = Array.from({ length: BATCH_BLOCKS }, () => {
      const slot: Slot = {
        datagram: newBlockDatagram(srcIp),
        done: (error) => {
          if (error) this.#noteFailure(slot, error);
          if (--this.#underWay === 0) this.#finish(onError);
        },
      };
      return slot;
    });
  }

  /** True while a batch is under way. */
  get busy(): boolean {
    return this.#underWay > 0 || this.#failed.length > 0;
  }

  /** Sends neighbouring blocks of a chunk, `data` holding them one after the other. Up to BATCH_BLOCKS together until done. */
  add(chunk: number, first: number, count: number, data: Buffer): void {
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[this.#underWay];
      if (!slot) throw new RangeError('more blocks than a batch holds');
      setBlockPosition(slot.datagram, chunk, first + i);
      data.copy(slot.datagram, BLOCK_DATA_OFFSET, i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
      this.#underWay++;
      this.#send(slot.datagram, slot.done);
    }
  }

  #noteFailure(slot: Slot, error: Error): void {
    this.#failed.push(slot);
    this.#error = error;
  }

  #finish(onError: (error: Error) => void): void {
    if (this.#failed.length === 0) return this.#onBatchDone();
    const code = systemCode(this.#error);
    if (code !== 'ENOBUFS' && code !== 'EAGAIN' && this.#error) onError(this.#error);
    this.retries += this.#failed.length;
    setTimeout(() => {
      const again = this.#failed;
      this.#failed = [];
      this.#error = null;
      this.#underWay = again.length;
      for (const slot of again) this.#send(slot.datagram, slot.done);
    }, RETRY_MS);
  }
}
