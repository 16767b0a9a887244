/** A stock receiver's buffer holds about 180 datagrams: never more than these at once, however late a timer was. */
const MAX_BURST_BLOCKS = 120;
/** How many milliseconds of the rate a late sender may make good. */
const CATCH_UP_MS = 20;
/** By so much faster than the rate it does so. */
const CATCH_UP_SHARE = 0.5;
/** A burst holds so many milliseconds of the rate. */
const BURST_MS = 2;

/**
 * Decides how many blocks may be sent now. Sending is by credit that grows with time. What a late timer or a busy machine
 * kept from being sent is made good gently, not in a burst; what idle time could have earned is lost but for a few milliseconds.
 */
export class Pacer {
  #blocksPerMs: number;
  #credit = 0;
  /** Blocks that should have been sent, beyond the credit. */
  #behind = 0;
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
    const earned = Math.max(0, now - this.#lastMs) * this.#blocksPerMs;
    const madeGood = Math.min(this.#behind, earned * CATCH_UP_SHARE);
    const credit = this.#credit + earned + madeGood;
    const catchUp = this.#blocksPerMs * CATCH_UP_MS;
    this.#credit = Math.min(credit, Math.max(1, Math.min(MAX_BURST_BLOCKS, catchUp)));
    this.#behind = Math.min(this.#behind - madeGood + (credit - this.#credit), catchUp);
    this.#lastMs = now;
    return Math.floor(this.#credit);
  }

  spend(blocks: number): void {
    if (this.#blocksPerMs !== Infinity) this.#credit -= blocks;
  }

  /** Milliseconds until `blocks` may be sent; 0 when they may be sent at once. */
  waitMs(blocks: number): number {
    if (this.#blocksPerMs === Infinity) return 0;
    const earning = this.#blocksPerMs * (this.#behind > 0 ? 1 + CATCH_UP_SHARE : 1);
    return Math.max(0, (blocks - this.#credit) / earning);
  }

  /** How many blocks to send at a time: at low rates so few that they are a steady trickle, at high ones as many as are cheap. */
  burst(most: number): number {
    return Math.max(1, Math.min(most, Math.floor(this.#blocksPerMs * BURST_MS)));
  }
}
