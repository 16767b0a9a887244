import type { ClientStats } from './client-stats.js';
import type { LeaveReason, ServerEvent } from './server-events.js';

/** A client that has joined. Times are the caller's milliseconds. */
export type Client = {
  readonly address: string;
  readonly clientId: number;
  readonly joinedAt: number;
  heardAt: number;
  askedBlocks: number;
  /** One bit for each chunk it was the one to ask for; empty until it first asks. */
  askedChunks: Uint8Array;
  reportedAt: number;
  /** Something changed since the last progress report. */
  stale: boolean;
};

const MAX_CLIENTS = 4096;
/** What the clients' maps of chunks may take together: fewer clients of an image of terabytes are kept. */
const MAX_MAP_BYTES = 64 * 1024 * 1024;
const PROGRESS_INTERVAL_MS = 250;

/**
 * Who is in the session: one client per address, as the protocol has it. Emits join, leave and throttled progress. When it
 * is full, whoever never asked for anything goes first, since forged joins ask for nothing, then who was silent longest.
 */
export class ClientTable {
  /** Those that never asked for anything, by when they joined. */
  readonly #newcomers = new Map<string, Client>();
  /** The others, by when they were last heard of. */
  readonly #askers = new Map<string, Client>();
  readonly #mapBytes: number;
  readonly #maxClients: number;
  readonly #totalBlocks: number;
  readonly #silentMs: number;
  readonly #emit: (event: ServerEvent) => void;

  constructor(options: { chunks: number; totalBlocks: number; silentMs: number; emit: (event: ServerEvent) => void }) {
    this.#mapBytes = Math.ceil(options.chunks / 8);
    this.#maxClients = Math.min(MAX_CLIENTS, Math.floor(MAX_MAP_BYTES / this.#mapBytes));
    this.#totalBlocks = options.totalBlocks;
    this.#silentMs = options.silentMs;
    this.#emit = options.emit;
  }

  get size(): number {
    return this.#newcomers.size + this.#askers.size;
  }

  get(address: string): Client | undefined {
    return this.#askers.get(address) ?? this.#newcomers.get(address);
  }

  join(address: string, clientId: number, version: 1 | 2, now: number): void {
    const known = this.get(address);
    if (known?.clientId === clientId) {
      this.heard(known, now);
      this.#emit({ type: 'join', address, clientId, version, again: true, activeClients: this.size });
      return;
    }
    if (known) this.#remove(known, 'replaced', now);
    else if (this.size >= this.#maxClients) this.#dropOne(now);
    this.#newcomers.set(address, {
      address,
      clientId,
      joinedAt: now,
      heardAt: now,
      askedBlocks: 0,
      askedChunks: new Uint8Array(0),
      reportedAt: -Infinity,
      stale: false,
    });
    this.#emit({ type: 'join', address, clientId, version, again: false, activeClients: this.size });
  }

  /** False when no such client is known: a leave that was sent twice, or a forged one. */
  leave(address: string, clientId: number, elapsedSeconds: number, stats: ClientStats | null): boolean {
    const client = this.get(address);
    if (client?.clientId !== clientId) return false;
    this.#forget(client);
    this.#emit({ type: 'leave', address, clientId, elapsedSeconds, reason: 'left', stats, activeClients: this.size });
    return true;
  }

  /** A client gave a sign of life. */
  heard(client: Client, now: number): void {
    client.heardAt = now;
    if (this.#askers.delete(client.address)) this.#askers.set(client.address, client); // to the end: the map is in order of time
  }

  /** A client asked for a chunk of `blocks` blocks. Progress counts each chunk once. */
  asked(client: Client, chunk: number, blocks: number, now: number): void {
    if (this.#newcomers.delete(client.address)) {
      client.askedChunks = new Uint8Array(this.#mapBytes);
      this.#askers.set(client.address, client);
    }
    this.heard(client, now);
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
    for (const clients of [this.#newcomers, this.#askers]) {
      for (const client of clients.values()) {
        if (now - client.heardAt > this.#silentMs) this.#remove(client, 'silent', now);
        else if (client.stale && now - client.reportedAt >= PROGRESS_INTERVAL_MS) this.#report(client, now);
      }
    }
  }

  #report(client: Client, now: number): void {
    client.stale = false;
    client.reportedAt = now;
    const { address, clientId, askedBlocks } = client;
    this.#emit({
      type: 'progress',
      address,
      clientId,
      askedBlocks,
      totalBlocks: this.#totalBlocks,
      idleMs: Math.round(now - client.heardAt),
    });
  }

  #remove(client: Client, reason: LeaveReason, now: number): void {
    this.#forget(client);
    const elapsedSeconds = Math.floor((now - client.joinedAt) / 1000);
    this.#emit({
      type: 'leave',
      address: client.address,
      clientId: client.clientId,
      elapsedSeconds,
      reason,
      stats: null,
      activeClients: this.size,
    });
  }

  #forget({ address }: Client): void {
    this.#newcomers.delete(address);
    this.#askers.delete(address);
  }

  #dropOne(now: number): void {
    for (const clients of [this.#newcomers, this.#askers]) {
      for (const client of clients.values()) return this.#remove(client, 'silent', now);
    }
  }
}
