import type { ClientStats } from './client-stats.js';
import type { LeaveReason, ServerEvent } from './server-events.js';

/** A client that has joined. Times are the caller's milliseconds. */
export type Client = {
  readonly address: string;
  readonly clientId: number;
  readonly joinedAt: number;
  heardAt: number;
  askedBlocks: number;
  readonly askedChunks: Uint8Array;
  reportedAt: number;
  /** Something changed since the last progress report. */
  stale: boolean;
};

const MAX_CLIENTS = 4096;
const PROGRESS_INTERVAL_MS = 250;

/** Who is in the session: one client per address, as the protocol has it. Emits join, leave and throttled progress. */
export class ClientTable {
  readonly #byAddress = new Map<string, Client>();
  readonly #chunks: number;
  readonly #totalBlocks: number;
  readonly #silentMs: number;
  readonly #emit: (event: ServerEvent) => void;

  constructor(options: { chunks: number; totalBlocks: number; silentMs: number; emit: (event: ServerEvent) => void }) {
    this.#chunks = options.chunks;
    this.#totalBlocks = options.totalBlocks;
    this.#silentMs = options.silentMs;
    this.#emit = options.emit;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  get(address: string): Client | undefined {
    return this.#byAddress.get(address);
  }

  join(address: string, clientId: number, version: 1 | 2, now: number): void {
    const known = this.#byAddress.get(address);
    if (known?.clientId === clientId) {
      known.heardAt = now;
      this.#emit({ type: 'join', address, clientId, version, again: true, activeClients: this.size });
      return;
    }
    if (known) this.#remove(known, 'replaced', now);
    else if (this.size >= MAX_CLIENTS) this.#dropQuietest(now);
    const askedChunks = new Uint8Array(Math.ceil(this.#chunks / 8));
    this.#byAddress.set(address, { address, clientId, joinedAt: now, heardAt: now, askedBlocks: 0, askedChunks, reportedAt: -Infinity, stale: false });
    this.#emit({ type: 'join', address, clientId, version, again: false, activeClients: this.size });
  }

  /** False when no such client is known: a leave that was sent twice, or a forged one. */
  leave(address: string, clientId: number, elapsedSeconds: number, stats: ClientStats | null): boolean {
    const client = this.#byAddress.get(address);
    if (client?.clientId !== clientId) return false;
    this.#byAddress.delete(address);
    this.#emit({ type: 'leave', address, clientId, elapsedSeconds, reason: 'left', stats, activeClients: this.size });
    return true;
  }

  /** A client asked for a chunk of `blocks` blocks. Progress counts each chunk once. */
  asked(client: Client, chunk: number, blocks: number, now: number): void {
    client.heardAt = now;
    const byte = client.askedChunks[chunk >> 3] ?? 0;
    const bit = 1 << (chunk & 7);
    if (!(byte & bit)) {
      client.askedChunks[chunk >> 3] = byte | bit;
      client.askedBlocks += blocks;
    }
    client.stale = true;
    if (now - client.reportedAt >= PROGRESS_INTERVAL_MS) this.#report(client, now);
  }

  /** Reports what was held back, and forgets who has been silent for too long. Call a few times per second. */
  tick(now: number): void {
    for (const client of this.#byAddress.values()) {
      if (now - client.heardAt > this.#silentMs) this.#remove(client, 'silent', now);
      else if (client.stale && now - client.reportedAt >= PROGRESS_INTERVAL_MS) this.#report(client, now);
    }
  }

  #report(client: Client, now: number): void {
    client.stale = false;
    client.reportedAt = now;
    const { address, clientId, askedBlocks } = client;
    this.#emit({ type: 'progress', address, clientId, askedBlocks, totalBlocks: this.#totalBlocks, idleMs: Math.round(now - client.heardAt) });
  }

  #remove(client: Client, reason: LeaveReason, now: number): void {
    this.#byAddress.delete(client.address);
    const elapsedSeconds = Math.floor((now - client.joinedAt) / 1000);
    this.#emit({ type: 'leave', address: client.address, clientId: client.clientId, elapsedSeconds, reason, stats: null, activeClients: this.size });
  }

  #dropQuietest(now: number): void {
    let quietest: Client | undefined;
    for (const client of this.#byAddress.values()) if (!quietest || client.heardAt < quietest.heardAt) quietest = client;
    if (quietest) this.#remove(quietest, 'silent', now);
  }
}
