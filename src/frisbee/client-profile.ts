/** The client's timers and limits. All times in milliseconds. */
export type ClientProfile = {
  /** One receive timeout: silence is counted in these. */
  tickMs: number;
  /** Ticks of silence before everything missing is asked for again. */
  idleTicks: number;
  /** Most extra ticks of patience when asking again and again brings nothing. */
  maxBackoffTicks: number;
  /** How long to wait for an answer to JOIN. */
  joinRetryMs: number;
  /** A chunk that anybody asked for less than so long ago is not asked for again. */
  redoMs: number;
  /** Chunks asked for ahead of the one being received. */
  readAhead: number;
  /** Most chunks being filled at one time. */
  inProgress: number;
  /** Most chunk buffers, 1 MiB each. */
  maxBuffers: number;
  /** Without anything useful for so long, everything missing is asked for although the group is not silent. */
  hungerMs: number;
  /** Shortest and longest time, at random, between the end of a pass over a chunk and asking for what it left out. */
  repairDelayMs: readonly [number, number];
  /** Up to so much random delay before asking after silence, so that many clients hear each other first. */
  jitterMs: number;
};

/** The 2015 client's timers; repair delay and hunger are ours (it waited for silence, or for a chunk to become complete). */
export const REAL_PROFILE: ClientProfile = {
  tickMs: 30,
  idleTicks: 3,
  maxBackoffTicks: 33,
  joinRetryMs: 500,
  redoMs: 1_000,
  readAhead: 2,
  inProgress: 8,
  maxBuffers: 64,
  hungerMs: 3_000,
  repairDelayMs: [2, 8],
  jitterMs: 0,
};
