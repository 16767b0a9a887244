import { type ReceiveHost, type ReceiveOptions, type ReceiveResult, REAL_PROFILE } from './receive-options.js';
import { Failure } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { reasonOf } from '../util/abort.js';
import { ipToNumber } from '../util/ipv4.js';
import { isChunkFault, type SinkResult } from '../ndz/apply/chunk-sink.js';
import { ChunkFaults } from './chunk-faults.js';
import { ClientCore } from './client-core.js';
import type { ClientStats } from './client-stats.js';
import { CHUNK_BYTES } from '../ndz/codec/format.js';
import { bytesInChunk, type Geometry } from './geometry.js';
import { seededRandom } from '../util/random.js';
import type { Origin } from './session-address.js';
import { type Envelope, randomClientId } from './message.js';
import { encode } from './wire.js';
import { fail } from './failures.js';

/** A chunk that is complete, and a block of it that came twice with different contents. */
type Ready = { buffer: number; chunk: number; conflict: number | null };

/** How often a session's `poll` wants to be called. */
export const POLL_MS = 10;

/**
 * One client from its first JOIN to its LEAVE, without sockets: the core, the chunk memory, the output and the result.
 * A chunk that the output refuses for what is in it is received again, a few times.
 * `done` rejects with Failure 'server-silent', with what the output threw, 'frisbee-conflict', or with the signal's reason.
 */
export class ClientSession {
  readonly done: Promise<ReceiveResult>;
  readonly #options: ReceiveOptions;
  readonly #host: ReceiveHost;
  readonly #send: (datagram: Buffer) => void;
  readonly #core: ClientCore;
  readonly #clientId: number;
  readonly #startedAt: number;
  readonly #startDelayMs: number;
  readonly #lossRandom: () => number;
  readonly #onAbort: () => void;
  #resolve: (result: ReceiveResult) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #joinedAt: number | null = null;
  #buffers: Uint8Array[] = [];
  readonly #faults: ChunkFaults;
  #ready: Ready[] = [];
  #begun = false;
  #writing = false;
  #doneChunks = 0;
  #overflowed = 0;
  #over = false;

  constructor(options: ReceiveOptions, now: number, send: (datagram: Buffer) => void) {
    const {
      host = systemHost,
      profile,
      raw = false,
      inOrder = false,
      localIp,
      port,
      serverIp = null,
      maxStartDelayMs = 0,
      lossSeed = 1,
      signal,
    } = options;
    this.#options = options;
    this.#host = host;
    this.#send = send;
    this.#startedAt = now;
    this.#startDelayMs = host.random() * maxStartDelayMs;
    this.#clientId = options.clientId ?? randomClientId(host.random);
    this.#lossRandom = seededRandom(lossSeed);
    this.#faults = new ChunkFaults(`${options.group}:${port}`, raw);
    const fullProfile = { ...REAL_PROFILE, ...profile };
    this.#core = new ClientCore({
      clientId: this.#clientId,
      srcIp: ipToNumber(localIp),
      port,
      joinVersion: raw ? 2 : 1,
      serverIp,
      inOrder,
      profile: fullProfile,
      random: host.random,
      actions: {
        send,
        joined: (geometry, buffers) => this.#onJoined(geometry, buffers),
        chunkReady: (buffer, chunk, conflict) => this.#onChunk({ buffer, chunk, conflict }),
      },
    });
    Object.assign(this.#core.stats, {
      packetTimeoutUs: fullProfile.tickMs * 1000,
      idleTimer: fullProfile.idleTicks,
      redoDelayUs: fullProfile.redoMs * 1000,
      idleDelayUs: 1000,
      delayMs: Math.floor(this.#startDelayMs),
      startDelay: Math.ceil(maxStartDelayMs / 1000),
      randomize: inOrder ? 0 : 1,
      writeBufferMb: 64,
    });
    this.done = new Promise<ReceiveResult>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#onAbort = () => this.fail(signal ? reasonOf(signal) : new Error('aborted'));
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get localIp(): string {
    return this.#options.localIp;
  }

  /** Takes in one datagram. */
  onDatagram(bytes: Buffer, from: Origin, now: number, body?: Uint8Array): void {
    if (!this.#over && !this.#isLost()) this.#core.onDatagram(bytes, from, now, body);
  }

  /** Datagrams that found no room in the socket's buffer, as far as is known. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /** So many found no room since the socket was opened. */
  onOverflow(datagrams: number): void {
    this.#overflowed = datagrams;
    this.#core.onOverflow();
  }

  /** Takes in a decoded datagram that is no BLOCK, for callers with many sessions. */
  onEnvelope(envelope: Envelope, from: Origin, now: number): void {
    if (!this.#over && !this.#isLost()) this.#core.onEnvelope(envelope, from, now);
  }

  #isLost(): boolean {
    const { lossRate = 0 } = this.#options;
    return lossRate > 0 && this.#lossRandom() < lossRate;
  }

  /** Call every POLL_MS. */
  poll(now: number): void {
    if (this.#over || now < this.#startedAt + this.#startDelayMs) return;
    this.#core.poll(now);
    const { serverTimeoutMs = Infinity, group, port } = this.#options;
    if (this.#core.serverSilentMs(now) <= serverTimeoutMs) return;
    const seconds = Math.round(serverTimeoutMs / 1000);
    this.fail(
      fail(
        'server-silent',
        `no messages from the server of ${group}:${port} after ${seconds} seconds`,
        'is the frisbee server still running?',
      ),
    );
  }

  /** Ends the session: leaves, gives the output up, rejects `done`. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#end();
    if (this.#joinedAt !== null) this.#leave(null);
    void this.#options.sink.abort().then(
      () => this.#reject(error),
      () => this.#reject(error),
    );
  }

  #end(): void {
    this.#over = true;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#ready = [];
  }

  #onJoined(geometry: Geometry, buffers: number): readonly Uint8Array[] {
    const now = this.#host.monotonicMs();
    this.#joinedAt = now;
    const memory = new SharedArrayBuffer(buffers * CHUNK_BYTES);
    this.#buffers = Array.from({ length: buffers }, (_, buffer) => new Uint8Array(memory, buffer * CHUNK_BYTES, CHUNK_BYTES));
    const { sizeBytes, chunks } = geometry;
    this.#options.onEvent?.({ type: 'joined', clientId: this.#clientId, sizeBytes, chunks, elapsedMs: now - this.#startedAt });
    return this.#buffers;
  }

  #onChunk(ready: Ready): void {
    this.#ready.push(ready);
    if (this.#writing) return;
    this.#writing = true;
    this.#write().catch((error: unknown) => this.fail(error));
  }

  async #write(): Promise<void> {
    const { sink, onEvent } = this.#options;
    const geometry = this.#core.geometry;
    if (!geometry) return;
    if (!this.#begun) await sink.begin?.(geometry.sizeBytes);
    this.#begun = true;
    for (let next = this.#ready.shift(); next && !this.#over; next = this.#ready.shift()) {
      const bytes = this.#buffers[next.buffer] ?? new Uint8Array(0);
      const sizeBytes = bytesInChunk(geometry, next.chunk);
      const fault = await this.#put(next, bytes, sizeBytes);
      if (this.#over) return;
      const now = this.#host.monotonicMs();
      if (fault) {
        this.#faults.refuse(next.chunk, bytes.subarray(0, sizeBytes), next.conflict, fault);
        this.#core.bufferRefused(next.buffer, next.chunk, now);
        continue;
      }
      this.#doneChunks++;
      onEvent?.({
        type: 'chunk',
        chunk: next.chunk,
        doneChunks: this.#doneChunks,
        totalChunks: geometry.chunks,
        elapsedMs: now - this.#startedAt,
      });
      this.#core.bufferFreed(next.buffer, now);
    }
    this.#writing = false;
    if (this.#doneChunks === geometry.chunks && !this.#over) await this.#finish(geometry);
    else this.#core.stats.noChunksReady++;
  }

  /** Writes a chunk; returns why not, when what came is not what was served. */
  async #put({ chunk, conflict }: Ready, bytes: Uint8Array, sizeBytes: number): Promise<Failure | null> {
    const distrust = this.#faults.distrust(chunk, conflict);
    if (distrust) return distrust;
    try {
      await this.#options.sink.write(bytes, chunk, sizeBytes);
      return null;
    } catch (error) {
      if (!isChunkFault(error)) throw error;
      return error;
    }
  }

  async #finish(geometry: Geometry): Promise<void> {
    const output = await this.#options.sink.finish();
    if (this.#over) return;
    this.#end();
    const stats = this.#leave(output);
    const { effectiveBytes, actualBytes, writes } = output;
    const warning = this.#faults.note();
    const notes = [...(output.notes ?? []), ...(warning === null ? [] : [warning])];
    const elapsedMs = this.#host.monotonicMs() - this.#startedAt;
    this.#resolve({
      effectiveBytes,
      actualBytes,
      writes,
      notes,
      clientId: this.#clientId,
      sizeBytes: geometry.sizeBytes,
      chunks: geometry.chunks,
      elapsedMs,
      overflowed: this.#overflowed,
      stats,
    });
  }

  #leave(output: SinkResult | null): ClientStats {
    const elapsedMs = this.#host.monotonicMs() - (this.#joinedAt ?? this.#startedAt);
    const stats: ClientStats = {
      ...this.#core.stats,
      runSeconds: Math.floor(elapsedMs / 1000),
      runMilliseconds: Math.floor(elapsedMs % 1000),
      realBytesWritten: output?.actualBytes ?? 0,
      effectiveBytesWritten: output?.effectiveBytes ?? 0,
    };
    const message = { kind: 'leave2', clientId: this.#clientId, elapsedSeconds: stats.runSeconds, statsVersion: 1, stats } as const;
    this.#send(encode({ srcIp: ipToNumber(this.#options.localIp), message }));
    return stats;
  }
}
