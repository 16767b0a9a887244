import { BITS_PER_BLOCK } from '../frisbee/server-events.js';

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
