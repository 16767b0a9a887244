import { sleep } from '../util/abort.js';

/** Spreads what would otherwise happen to all targets at once. */
export type Window = { turn(signal: AbortSignal): Promise<void> };

export type WindowSize = { turns: number; perMs: number };

/** At most `turns` turns in any `perMs` milliseconds, in the order they are asked for; without a size every turn comes at once. */
export function createWindow(size: WindowSize | null, monotonicMs: () => number): Window {
  const taken: number[] = []; // when the last `turns` turns are or were
  return {
    turn: async (signal) => {
      if (size === null) return;
      const nowMs = monotonicMs();
      const oldest = taken.length < size.turns ? -Infinity : (taken.shift() ?? -Infinity);
      const atMs = Math.max(nowMs, oldest + size.perMs);
      taken.push(atMs);
      if (atMs > nowMs) await sleep(atMs - nowMs, signal);
    },
  };
}
