import type { Host } from '../util/host.js';
import type { ChunkSink, SinkResult } from '../ndz/apply/chunk-sink.js';
import type { ClientStats } from './client-stats.js';

export type ClientEvent =
  | { type: 'bound'; receiveBufferBytes: number }
  | { type: 'joined'; clientId: number; sizeBytes: number; chunks: number; elapsedMs: number }
  | { type: 'chunk'; chunk: number; doneChunks: number; totalChunks: number; elapsedMs: number };

/** Clock and dice of who receives. */
export type ReceiveHost = Pick<Host, 'monotonicMs' | 'random'>;

export type ReceiveOptions = {
  /** Default: this machine's. */
  host?: ReceiveHost;
  group: string;
  port: number;
  localIp: string;
  /** Where the chunks go; aborted when the transfer fails, so the caller need not. */
  sink: ChunkSink;
  signal?: AbortSignal;
  onEvent?: (event: ClientEvent) => void;
  /** Give up when the server was silent for so long after it had answered. Default: never. */
  serverTimeoutMs?: number;
  /** Take part only in the session of the server at this address. Default: whoever answers first. */
  serverIp?: string;
  /** Wait up to so long, at random, before joining. */
  maxStartDelayMs?: number;
  /** Take any file and its exact size, not only images: nothing will be decompressed. */
  raw?: boolean;
  /** Ask for chunks in ascending order instead of at random. */
  inOrder?: boolean;
  /** Deviations from the real client's timers and limits. */
  profile?: Partial<ClientProfile>;
  /** Default: at random. */
  clientId?: number;
  /** A fault for tests: the share of datagrams that are thrown away on arrival, chosen by `lossSeed`. */
  lossRate?: number;
  lossSeed?: number;
};

export type ReceiveResult = SinkResult & {
  clientId: number;
  sizeBytes: number;
  chunks: number;
  /** From the first JOIN to the end. */
  elapsedMs: number;
  /** Datagrams that found no room in the socket's buffer, as far as is known. */
  overflowed: number;
  /** What was told to the server when leaving. */
  stats: ClientStats;
};

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
