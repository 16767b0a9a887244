import { systemCode } from '../util/errors.js';
import { BLOCK_BYTES } from './geometry.js';
import type { DatagramBatch } from '../native/udp-socket.js';
import { BLOCK_DATA_OFFSET, BLOCK_DATAGRAM_BYTES, newBlockDatagram, setBlockPosition } from './wire.js';

/** Most blocks on their way into the socket at one time: what the kernel takes in one call. Between two batches the sender must listen. */
export const BATCH_BLOCKS = 60;
const RETRY_MS = 1;

/** Where blocks go. */
type Way = { batch(count: number, sizeBytes: number): DatagramBatch; address: string; port: number };

/**
 * Puts blocks into datagrams and these into a socket, through a fixed set of buffers: at most one batch is under way. One
 * that fails is sent again for ever; errors other than a full kernel are handed to `onError` as well, which decides.
 */
export class BlockSender {
  retries = 0;
  readonly #batch: DatagramBatch;
  readonly #way: Way;
  readonly #done: (error: Error | null) => void;
  #filled = 0;
  #isUnderWay = false;
  #isClosed = false;

  constructor(srcIp: number, way: Way, onBatchDone: () => void, onError: (error: Error) => void) {
    this.#way = way;
    this.#batch = way.batch(BATCH_BLOCKS, BLOCK_DATAGRAM_BYTES);
    for (const datagram of this.#batch.datagrams) newBlockDatagram(srcIp).copy(datagram);
    this.#done = (error) => {
      if (this.#isClosed) return;
      if (error) return this.#again(error, onError);
      this.#filled = 0;
      this.#isUnderWay = false;
      onBatchDone();
    };
  }

  /** True while a batch is under way. */
  get busy(): boolean {
    return this.#isUnderWay;
  }

  /** Adds neighbouring blocks of a chunk to the batch, `data` holding them one after the other. Up to BATCH_BLOCKS until `flush`. */
  add(chunk: number, first: number, count: number, data: Buffer): void {
    for (let i = 0; i < count; i++) {
      const datagram = this.#batch.datagrams[this.#filled++];
      if (!datagram || this.#isUnderWay) throw new RangeError('more blocks than a batch holds');
      setBlockPosition(datagram, chunk, first + i);
      data.copy(datagram, BLOCK_DATA_OFFSET, i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    }
  }

  /** Sends what was added. */
  flush(): void {
    if (this.#filled === 0) return;
    this.#isUnderWay = true;
    this.#sendAll();
  }

  /** Sends nothing any more: its socket is about to close. */
  close(): void {
    this.#isClosed = true;
  }

  #sendAll(): void {
    if (!this.#isClosed) this.#batch.send(this.#filled, this.#way.address, this.#way.port, this.#done);
  }

  #again(error: Error, onError: (error: Error) => void): void {
    const code = systemCode(error);
    if (code !== 'ENOBUFS' && code !== 'EAGAIN') onError(error);
    this.retries += this.#filled;
    setTimeout(() => this.#sendAll(), RETRY_MS);
  }
}
