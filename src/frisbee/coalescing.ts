/** Below so many datagrams a second, waking up for each of them costs little. */
const BUSY_PER_SECOND = 8_000;
const WINDOW_MS = 10;
/** A turn that brought so many found more waiting than it could take: no time to rest. */
const FULL_TURN = 8;
const REST_MS = 1;

/**
 * Lets datagrams gather: at tens of thousands a second most of a receiver's time goes into waking up for one or two of
 * them. After each turn of the event loop that brought only a few, the thread sleeps a millisecond, in which a socket
 * buffer of any size takes in what comes. For threads that do nothing but receive.
 */
export class Coalescing {
  readonly #clock = new Int32Array(new SharedArrayBuffer(4));
  #turn: NodeJS.Immediate | null = null;
  #inTurn = 0;
  #inWindow = 0;
  #windowAt = 0;
  #isBusy = false;

  /** A datagram has come. */
  heard(nowMs: number): void {
    this.#inTurn++;
    this.#inWindow++;
    if (nowMs - this.#windowAt >= WINDOW_MS) {
      this.#isBusy = (this.#inWindow * 1000) / (nowMs - this.#windowAt) > BUSY_PER_SECOND;
      this.#inWindow = 0;
      this.#windowAt = nowMs;
    }
    this.#turn ??= setImmediate(() => this.#endTurn());
  }

  /** The transfer is over. */
  stop(): void {
    if (this.#turn) clearImmediate(this.#turn);
    this.#turn = null;
  }

  #endTurn(): void {
    const heard = this.#inTurn;
    this.#turn = null;
    this.#inTurn = 0;
    if (this.#isBusy && heard < FULL_TURN) Atomics.wait(this.#clock, 0, 0, REST_MS);
  }
}
