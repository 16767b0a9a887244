/** How many milliseconds of unused credit a sender may make good, so that a late timer does not slow it down. */
const CATCH_UP_MS = 20;
/** A stock receiver's buffer holds about 180 datagrams, so more at once only where the timers' granularity asks for it. */
const MAX_CREDIT_BLOCKS = 128;
const TIMER_MS = 2.5;

/**
 * Decides how many blocks may be sent now. Sending is by credit that grows with time, because timers are no finer than
 * about a millisecond; what idle time could have earned is lost beyond a few milliseconds.
 */
export class Pacer {
  #blocksPerMs: number;
  #credit = 0;
  #lastMs: number;

  /** `blocksPerSecond` may be Infinity. `now` in milliseconds with fractions. */
  constructor(blocksPerSecond: number, now: number) {
    this.#blocksPerMs = blocksPerSecond / 1000;
    this.#lastMs = now;
  }

  setRate(blocksPerSecond: number): void {
    this.#blocksPerMs = blocksPerSecond / 1000;
  }

  /** How many blocks may be sent now: a whole number, Infinity without a rate. */
  available(now: number): number {
    if (this.#blocksPerMs === Infinity) return Infinity;
    const most = Math.max(1, Math.min(Math.max(MAX_CREDIT_BLOCKS, this.#blocksPerMs * TIMER_MS), this.#blocksPerMs * CATCH_UP_MS));
    this.#credit = Math.min(most, this.#credit + Math.max(0, now - this.#lastMs) * this.#blocksPerMs);
    this.#lastMs = now;
    return Math.floor(this.#credit);
  }

  spend(blocks: number): void {
    if (this.#blocksPerMs !== Infinity) this.#credit -= blocks;
  }

  /** Milliseconds until `blocks` may be sent; 0 when they may be sent at once. */
  waitMs(blocks: number): number {
    if (this.#blocksPerMs === Infinity) return 0;
    return Math.max(0, (blocks - this.#credit) / this.#blocksPerMs);
  }
}
