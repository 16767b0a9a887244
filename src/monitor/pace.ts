import type { NodeState, RunState } from '../events/reducer.js';

/**
 * How fast it goes. `rateBps`: bytes per second onto or from all disks together, null while nothing is known. `etaMs`: until
 * all that is on its way now is through, null while nobody can tell; `open`: it will take longer than that, as nodes have
 * not begun yet, or stand still.
 */
export type Pace = { rateBps: number | null; etaMs: number | null; open: boolean };

export const noPace: Pace = { rateBps: null, etaMs: null, open: false };

/** Steps before the data flows. */
const EARLIER: ReadonlySet<string> = new Set(['lock', 'pxe', 'reset', 'boot']);
const SAMPLE_MS = 500;
/** Rates are smoothed over about so long. */
const SMOOTH_MS = 5_000;
/** A node's rate means something after so long, and after this share of its data. */
const MIN_KNOWN_MS = 3_000;
const MIN_FRACTION = 0.02;
/** A node that is so much slower than needed to end within a day stands still. */
const STILL_MS = 86_400_000;

type Track = { attempt: number; step: string | null; atMs: number; bytes: number; rate: number | null; knownMs: number };

/** Watches a run's progress; its `pace` is made anew at most twice a second, by the clock that the run is in. */
export class PaceMeter {
  readonly #tracks = new Map<string, Track>();
  #sampledMs = -Infinity;
  #pace: Pace = noPace;

  observe(state: RunState, nowMs: number): Pace {
    if (nowMs - this.#sampledMs < SAMPLE_MS) return this.#pace;
    this.#sampledMs = nowMs;
    for (const node of state.nodes.values()) this.#sample(node, nowMs);
    return (this.#pace = this.#sum(state));
  }

  #sample(node: NodeState, nowMs: number): void {
    const { attempt, step, doneBytes } = node;
    const track = this.#tracks.get(node.node);
    if (!moves(node)) {
      if (track) this.#tracks.delete(node.node);
    } else if (!track || track.attempt !== attempt || track.step !== step || doneBytes < track.bytes) {
      this.#tracks.set(node.node, { attempt, step, atMs: nowMs, bytes: doneBytes, rate: null, knownMs: 0 });
    } else {
      const elapsedMs = nowMs - track.atMs;
      const rate = ((doneBytes - track.bytes) / elapsedMs) * 1000;
      const share = 1 - Math.exp(-elapsedMs / Math.min(SMOOTH_MS, track.knownMs + elapsedMs));
      track.rate = track.rate === null ? rate : track.rate + (rate - track.rate) * share;
      track.knownMs += elapsedMs;
      track.atMs = nowMs;
      track.bytes = doneBytes;
    }
  }

  #sum(state: RunState): Pace {
    const pace: Pace = { rateBps: null, etaMs: null, open: false };
    for (const node of state.nodes.values()) {
      if (node.phase === 'waiting' || (node.phase === 'active' && EARLIER.has(node.step ?? ''))) pace.open = true;
      const track = this.#tracks.get(node.node);
      if (!track) continue;
      const { rate, knownMs } = track;
      if (rate !== null) pace.rateBps = (pace.rateBps ?? 0) + rate;
      if (node.totalBytes <= 0) continue;
      const leftMs = rate === null || rate <= 0 ? Infinity : ((node.totalBytes - node.doneBytes) / rate) * 1000;
      if (knownMs < MIN_KNOWN_MS || node.doneBytes < node.totalBytes * MIN_FRACTION || leftMs > STILL_MS) pace.open = true;
      else pace.etaMs = Math.max(pace.etaMs ?? 0, leftMs);
    }
    return pace;
  }
}

/** Whether data flows to or from the node. */
export function moves(node: NodeState): boolean {
  return node.phase === 'active' && FLOWING.has(node.step ?? '') && node.doneBytes > 0;
}

const FLOWING: ReadonlySet<string> = new Set(['write', 'read', 'verify']);
