import { type RateReason, BITS_PER_BLOCK } from './server-events.js';

/** How often `RateControl.tick` wants to be called. */
export const RATE_WINDOW_MS = 100;
/** A timer may fire a little early. */
const TIMER_SLACK_MS = 2;

const FLOOR_BPS = 10_000_000;
/** Where an asked rate above it starts; growing from here it reaches any real rate within a few windows. */
const START_BPS = 400_000_000;
/** Where all receivers share the sender's processors, they take less and notice later what they missed. */
const LOOPBACK_START_BPS = 80_000_000;
const LOOPBACK_GROWTH = 1.2;
const GROWTH = 2;
/** Lost blocks per sent block: below the first, random loss, which a slower rate would not cure; above the second, congestion. */
const CALM_SHARE = 0.025;
const CONGESTED_SHARE = 0.06;
/** Too few blocks say nothing about a share. */
const SAMPLE_BLOCKS = 400;
/** After so long, what was counted counts half. */
const MEMORY_MS = 250;
const MIN_STEP_BPS = 4_000_000;
/** How far above what really goes out the rate may be. */
const MAX_LEAD = 1.3;
/** Where steps begin after a failure, as a share of what was delivered; after that of the start, when receivers are still waking up, bolder. */
const PROBE_SHARE = 0.005;
const FIRST_PROBE_SHARE = 0.05;
/** More loss than this is never taken for random: what overflows by half still overflows after a back-off. */
const MAX_RANDOM_SHARE = 0.25;

/**
 * Adapts the sending rate to what the receivers drain. The signal is the number of blocks that had been sent and are
 * asked for again: a repeat that was still queued, or sent before the last back-off, says nothing about the present
 * rate and is not counted. Starts below the cap and grows quickly until the first loss; then falls to what was delivered
 * and climbs in steps, short ones near the rate that failed last. Pure: the clock comes with each call.
 */
export class RateControl {
  readonly #capBps: number;
  readonly #floorBps: number;
  #rateBps: number;
  readonly #growth: number;
  #starting = true;
  #failedBps = Infinity;
  #probeBps = 0;
  #sent = 0;
  #lost = 0;
  #sentInWindow = 0;
  #busyMsInWindow = 0;
  #measuredBps = 0;
  #windowStart: number;
  #memoryStart: number;
  /** Blocks that were sent before this time do not count as lost. */
  #epoch: number;
  /** The share of loss that did not get smaller at a lower rate: random loss of some receiver, to be lived with. */
  #randomShare = 0;
  #trial: { share: number; rateBps: number } | null = null;

  /** `capBps` is the rate asked for, Infinity when none was; `loopback`: the receivers are on this machine. */
  constructor(capBps: number, loopback: boolean, now: number) {
    this.#capBps = capBps;
    this.#floorBps = Math.min(capBps, FLOOR_BPS);
    this.#growth = loopback ? LOOPBACK_GROWTH : GROWTH;
    this.#rateBps = Math.min(capBps, loopback ? LOOPBACK_START_BPS : START_BPS);
    this.#windowStart = now;
    this.#memoryStart = now;
    this.#epoch = now;
  }

  get rateBps(): number {
    return this.#rateBps;
  }

  get blocksPerSecond(): number {
    return this.#rateBps / BITS_PER_BLOCK;
  }

  /** Blocks went out; `busyMs` is the time since the previous call during which there was something to send. */
  sent(blocks: number, busyMs: number): void {
    this.#sent += blocks;
    this.#sentInWindow += blocks;
    this.#busyMsInWindow += busyMs;
  }

  /** Blocks that went out at `sentAt` are asked for again. */
  lost(blocks: number, sentAt: number): void {
    if (sentAt >= this.#epoch) this.#lost += blocks;
  }

  /** Call every RATE_WINDOW_MS; returns why the rate changed, or null when it did not. */
  tick(now: number): RateReason | null {
    const elapsedMs = now - this.#windowStart;
    if (elapsedMs < RATE_WINDOW_MS - TIMER_SLACK_MS) return null;
    const busyShare = Math.min(1, this.#busyMsInWindow / elapsedMs);
    const sentBps = this.#busyMsInWindow > 1 ? (this.#sentInWindow * BITS_PER_BLOCK * 1000) / this.#busyMsInWindow : 0;
    if (busyShare > 0.25) this.#measuredBps = sentBps;
    this.#windowStart = now;
    this.#sentInWindow = 0;
    this.#busyMsInWindow = 0;
    const change = this.#change(now, busyShare);
    if (now - this.#memoryStart > MEMORY_MS) {
      this.#sent /= 2;
      this.#lost /= 2;
      this.#memoryStart = now;
      this.#randomShare *= 0.985; // the lossy receiver may be gone
    }
    return change;
  }

  #change(now: number, busyShare: number): RateReason | null {
    const share = this.#lost / Math.max(1, this.#sent);
    if (this.#sent >= SAMPLE_BLOCKS) this.#judgeTrial(share);
    const excess = share - this.#randomShare * 1.3;
    if (this.#lost > SAMPLE_BLOCKS * CONGESTED_SHARE && excess > CONGESTED_SHARE) return this.#backOff(now, share);
    if (excess > CALM_SHARE && this.#lost > SAMPLE_BLOCKS * CALM_SHARE) {
      this.#starting = false;
      return null;
    }
    // an idle server learns nothing, and a rate far above what this machine can send would hide the next back-off
    const most = (this.#starting ? GROWTH : MAX_LEAD) * this.#measuredBps;
    if (busyShare < 0.5 || this.#rateBps >= this.#capBps || this.#rateBps > most) return null;
    this.#rateBps = Math.min(this.#capBps, this.#starting ? this.#rateBps * this.#growth : this.#rateBps + this.#step());
    return 'climbing';
  }

  /** Back quickly to just below what was delivered when it failed last; from there on gingerly, but with growing courage. */
  #step(): number {
    if (this.#rateBps < 0.9 * this.#failedBps) return Math.max(MIN_STEP_BPS, 0.06 * this.#failedBps);
    this.#probeBps = Math.max(MIN_STEP_BPS / 4, this.#probeBps * 1.15);
    return this.#probeBps;
  }

  /** After a back-off from a moderate loss there should be next to none; when there is as much, the rate was not its cause. */
  #judgeTrial(share: number): void {
    const trial = this.#trial;
    if (!trial || this.#sent < 4 * SAMPLE_BLOCKS) return;
    this.#trial = null;
    if (share < 0.6 * trial.share) return;
    this.#randomShare = Math.max(this.#randomShare, share);
    this.#rateBps = Math.max(this.#rateBps, trial.rateBps);
    this.#failedBps = this.#rateBps;
  }

  #backOff(now: number, share: number): RateReason | null {
    const before = Math.min(this.#rateBps, this.#measuredBps || this.#rateBps);
    this.#trial = share < MAX_RANDOM_SHARE ? { share, rateBps: before } : null;
    const deliveredBps = before * Math.max(0.5, 1 - share);
    this.#failedBps = deliveredBps;
    this.#probeBps = (this.#starting ? FIRST_PROBE_SHARE : PROBE_SHARE) * deliveredBps;
    this.#starting = false;
    this.#rateBps = Math.max(this.#floorBps, 0.85 * deliveredBps);
    this.#epoch = now;
    this.#sent = 0;
    this.#lost = 0;
    this.#memoryStart = now;
    return 'backed-off';
  }
}
