import type { RunState, TargetState } from '../events/reducer.js';

/**
 * How fast it goes. `rateBps`: bytes per second onto or from all disks together, null while nothing is known. `etaMs`: until
 * all that is on its way now is through, null while nobody can tell; `open`: it will take longer than that, as targets
 * have not begun yet, or stand still.
 */
export type Pace = { rateBps: number | null; etaMs: number | null; open: boolean };

export const noPace: Pace = { rateBps: null, etaMs: null, open: false };

const SAMPLE_MS = 500;
/** Rates are smoothed over about so long. */
const SMOOTH_MS = 5_000;
/** A target's rate means something after so long, and after this share of its data. */
const MIN_KNOWN_MS = 3_000;
const MIN_FRACTION = 0.02;
/** A target that is so much slower than needed to end within a day stands still. */
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
    for (const target of state.targets.values()) this.#sample(target, nowMs);
    return (this.#pace = this.#sum(state));
  }

  #sample(target: TargetState, nowMs: number): void {
    const { attempt, step, doneBytes } = target;
    const track = this.#tracks.get(target.name);
    if (!moves(target)) {
      if (track) this.#tracks.delete(target.name);
    } else if (!track || track.attempt !== attempt || track.step !== step || doneBytes < track.bytes) {
      this.#tracks.set(target.name, { attempt, step, atMs: nowMs, bytes: doneBytes, rate: null, knownMs: 0 });
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
    for (const { name, phase, facts, doneBytes, totalBytes } of state.targets.values()) {
      if (phase === 'waiting' || (phase === 'active' && facts?.early === true)) pace.open = true;
      const track = this.#tracks.get(name);
      if (!track) continue;
      const { rate, knownMs } = track;
      if (rate !== null) pace.rateBps = (pace.rateBps ?? 0) + rate;
      if (totalBytes <= 0) continue;
      const leftMs = rate === null || rate <= 0 ? Infinity : ((totalBytes - doneBytes) / rate) * 1000;
      if (knownMs < MIN_KNOWN_MS || doneBytes < totalBytes * MIN_FRACTION || leftMs > STILL_MS) pace.open = true;
      else pace.etaMs = Math.max(pace.etaMs ?? 0, leftMs);
    }
    return pace;
  }
}

/** Whether data flows to or from the target. */
function moves({ phase, facts, doneBytes }: TargetState): boolean {
  return phase === 'active' && facts?.moves === 'bytes' && doneBytes > 0;
}
