/** What one block costs in the rate arithmetic of the 2015 binaries: (1056 in memory + 28 UDP/IP + 38 Ethernet) x 8. */
export const BITS_PER_BLOCK = 8976;

/** A rate as the real server plans it: so many blocks every so many microseconds. */
export type Burst = { blocks: number; intervalUs: number };

/** The real server's default: 16 blocks every 2 ms = 71.808 Mbit/s. */
export const DEFAULT_BURST: Burst = { blocks: 16, intervalUs: 2000 };

/** The burst that `frisbeed -W bps` computes; its clock ticks every millisecond, so intervals are rounded up to it. */
export function burstForRate(rateBps: number): Burst {
  const blocksPerSecond = Math.max(1, Math.floor(rateBps / BITS_PER_BLOCK));
  const burstsPerSecond = Math.min(1000, blocksPerSecond);
  return {
    blocks: Math.floor(blocksPerSecond / burstsPerSecond),
    intervalUs: Math.ceil(Math.floor(1_000_000 / burstsPerSecond) / 1000) * 1000,
  };
}

/** Blocks per second of a burst, as the real server prints it. */
export function burstBlocksPerSecond(burst: Burst): number {
  return Math.floor((burst.blocks * 1_000_000) / burst.intervalUs);
}

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
