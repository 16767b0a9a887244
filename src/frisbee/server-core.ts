import type { Origin } from './session-address.js';
import { numberToIp } from '../util/ipv4.js';
import { BlockMap } from './block-map.js';
import { ClientTable } from './client-table.js';
import { CHUNK_BYTES } from '../ndz/codec/format.js';
import { BLOCK_BYTES, blocksInChunk, CHUNK_BLOCKS, type Geometry } from './geometry.js';
import { RateControl } from './rate-control.js';
import { RecentPasses } from './recent-passes.js';
import { emptyServerStats, type ServerEvent, type ServerStats } from './server-events.js';
import type { Message } from './message.js';
import { decode, encode } from './wire.js';
import { type Work, WorkQueue } from './work-queue.js';

export type ServerCoreOptions = {
  geometry: Geometry;
  /** The address datagrams leave from, as a number: receivers compare it with the IP header. */
  srcIp: number;
  port: number;
  /** Infinity: as fast as receivers take it. */
  rateBps: number;
  /** The receivers share this machine. */
  loopback: boolean;
  /** A client that was not heard of for so long has gone. */
  clientSilentMs: number;
  /** Milliseconds on a monotonic clock. */
  now: number;
  emit: (event: ServerEvent) => void;
};

/** A datagram to send to one peer's session port. */
export type Reply = { bytes: Buffer; address: string };

const RATE_REPORT_MS = 1_000;
/** Whoever asks for a chunk again and again tells nothing about the rate: so many losses of one chunk count within so long. */
const MAX_LOSSES = 16;
const LOSS_MEMORY_MS = 30_000;

/**
 * The server's mind, without sockets, files or clocks: datagrams in, replies and work out. Stateless towards
 * requesters, as the protocol wants it: a request is served whether its sender joined or not.
 */
export class ServerCore {
  readonly clients: ClientTable;
  readonly stats: ServerStats = emptyServerStats();
  readonly rate: RateControl;
  readonly #options: ServerCoreOptions;
  readonly #queue = new WorkQueue();
  readonly #sentMap: Uint8Array;
  /** 1: blocks of the chunk have gone out. */
  readonly #wasSent: Uint8Array;
  readonly #passes = new RecentPasses();
  /** How often a loss was counted for a chunk. */
  readonly #losses: Uint8Array;
  #lossesSince = 0;
  #everJoined = false;
  #firstJoinAt = 0;
  #lastRequestAt: number;
  #lastLeaveAt = Infinity;
  #rateReportedAt = 0;

  constructor(options: ServerCoreOptions) {
    const { geometry, now } = options;
    this.#options = options;
    this.#sentMap = new Uint8Array(Math.ceil(geometry.blocks / 8));
    this.#wasSent = new Uint8Array(geometry.chunks);
    this.#losses = new Uint8Array(geometry.chunks);
    this.#lastRequestAt = now;
    this.rate = new RateControl(options.rateBps, options.loopback, now);
    this.clients = new ClientTable({
      chunks: geometry.chunks,
      totalBlocks: geometry.blocks,
      silentMs: options.clientSilentMs,
      emit: options.emit,
    });
  }

  /** Whether there is something to send. */
  get hasWork(): boolean {
    return !this.#queue.isEmpty;
  }

  /** Milliseconds since somebody asked for something; a server that is still sending is not idle. */
  idleMs(now: number): number {
    return this.hasWork ? 0 : now - this.#lastRequestAt;
  }

  /** Milliseconds since the last client left, when there was any join at all and nobody is left; else 0. */
  desertedMs(now: number): number {
    if (!this.#everJoined || this.clients.size > 0) return 0;
    return Math.max(0, now - Math.max(this.#lastRequestAt, this.#lastLeaveAt === Infinity ? 0 : this.#lastLeaveAt));
  }

  /** Takes in one datagram, hostile ones too; returns the reply it earns, or null. */
  onDatagram(bytes: Buffer, from: Origin, now: number): Reply | null {
    const envelope = decode(bytes);
    if (!envelope || envelope.message.kind === 'block') return null;
    // the protocol's own check: what comes from elsewhere than it says, or through an address translator, cannot be answered
    if (from.port !== this.#options.port || numberToIp(envelope.srcIp) !== from.address) return null;
    this.stats.messagesIn++;
    return this.#onMessage(envelope.message, from.address, now);
  }

  /** The next blocks to send, at most `limit`; null when nobody waits for anything. */
  take(limit: number, now: number): Work | null {
    const work = this.#queue.take(limit);
    if (!work) return null;
    this.#wasSent[work.chunk] = 1;
    this.#passes.sent(work, now);
    const base = work.chunk * CHUNK_BLOCKS;
    for (let block = base + work.first; block < base + work.first + work.count; block++) {
      const byte = this.#sentMap[block >> 3] ?? 0;
      const bit = 1 << (block & 7);
      if (byte & bit) this.stats.repeatedBlocks++;
      else this.#sentMap[block >> 3] = byte | bit;
    }
    this.stats.sentBlocks += work.count;
    this.stats.messagesOut += work.count;
    return work;
  }

  /** Call about ten times per second: adapts the rate, reports progress, forgets silent clients. */
  tick(now: number): void {
    this.clients.tick(now);
    const reason = this.rate.tick(now);
    this.stats.rateBps = Math.round(this.rate.rateBps);
    const due = now - this.#rateReportedAt >= RATE_REPORT_MS && this.stats.sentBlocks > 0 && this.idleMs(now) < 2 * RATE_REPORT_MS;
    if (reason !== 'backed-off' && !due) return;
    this.#rateReportedAt = now;
    const { sentBlocks, repeatedBlocks, rateBps } = this.stats;
    this.#options.emit({ type: 'rate', rateBps, sentBlocks, repeatedBlocks, reason: reason ?? 'measured' });
  }

  #onMessage(message: Message, address: string, now: number): Reply | null {
    switch (message.kind) {
      case 'join':
        return this.#onJoin(message, address, now);
      case 'leave':
        this.#onLeave(this.clients.leave(address, message.clientId, message.elapsedSeconds, null), now);
        return null;
      case 'leave2':
        this.#onLeave(this.clients.leave(address, message.clientId, message.elapsedSeconds, message.stats), now);
        return null;
      case 'request':
        this.#onRequest(message.chunk, BlockMap.ofRun(message.first, message.count), false, address, now);
        return null;
      case 'prequest':
        this.#onRequest(message.chunk, message.map, message.retries !== 0, address, now);
        return null;
      case 'progress':
        this.#onProgress(message, address, now);
        return null;
      case 'joined':
      case 'block':
      case 'progress-request':
        return null;
    }
  }

  #onJoin(message: Message & { kind: 'join' }, address: string, now: number): Reply | null {
    const { geometry, srcIp, emit } = this.#options;
    this.stats.joins++;
    if (message.version === 1 && geometry.sizeBytes % CHUNK_BYTES !== 0) {
      emit({ type: 'join-refused', address }); // version 1 can only describe whole chunks, that is, images
      return null;
    }
    this.#everJoined = true;
    this.#firstJoinAt ||= now;
    this.clients.join(address, message.clientId, message.version, now);
    this.stats.messagesOut++;
    const reply: Message =
      message.version === 1
        ? { kind: 'joined', version: 1, blocks: geometry.blocks }
        : {
            kind: 'joined',
            version: 2,
            clientId: message.clientId,
            blocks: 0,
            chunkBlocks: CHUNK_BLOCKS,
            blockBytes: BLOCK_BYTES,
            sizeBytes: BigInt(geometry.sizeBytes),
          };
    return { bytes: encode({ srcIp, message: reply }), address };
  }

  #onLeave(known: boolean, now: number): void {
    if (!known) return;
    this.stats.leaves++;
    this.#lastLeaveAt = now;
    this.stats.serviceMs = now - this.#firstJoinAt;
  }

  /** Releases after 2016 report by themselves; only a client's own report keeps the server awake. */
  #onProgress({ clientId, when }: Message & { kind: 'progress' }, address: string, now: number): void {
    const client = this.clients.get(address);
    if (client?.clientId !== clientId || when === 0) return;
    this.clients.heard(client, now);
    this.#lastRequestAt = now;
  }

  #onRequest(chunk: number, wanted: BlockMap, retry: boolean, address: string, now: number): void {
    const { geometry } = this.#options;
    if (chunk >= geometry.chunks) return;
    const size = blocksInChunk(geometry, chunk);
    wanted.cutTo(size);
    if (wanted.count === 0) return;
    this.#countRequest(wanted.count, size, retry, now);
    const client = this.clients.get(address);
    // a loss, and not a late joiner's gap: it was here when the blocks went by
    const losses = retry || (client && wanted.count < size) ? this.#passes.lost(chunk, wanted, client?.joinedAt ?? -Infinity) : [];
    const { newBlocks, merged } = this.#queue.add(chunk, wanted, size, this.#wasSent[chunk] === 1);
    if (merged) this.stats.mergedRequests++;
    if (newBlocks === 0) this.stats.duplicateRequests++;
    this.stats.maxQueueEntries = Math.max(this.stats.maxQueueEntries, this.#queue.size);
    if (client) this.clients.asked(client, chunk, size, now);
    if (newBlocks === 0 || losses.length === 0 || !this.#countsAsLoss(chunk, now)) return;
    let left = newBlocks; // what was still queued is no loss
    for (const { blocks, sentAt } of losses) {
      this.rate.lost(Math.min(blocks, left), sentAt);
      left -= Math.min(blocks, left);
    }
  }

  #countsAsLoss(chunk: number, now: number): boolean {
    if (now - this.#lossesSince > LOSS_MEMORY_MS) {
      this.#losses.fill(0);
      this.#lossesSince = now;
    }
    const losses = this.#losses[chunk] ?? 0;
    if (losses >= MAX_LOSSES) return false;
    this.#losses[chunk] = losses + 1;
    return true;
  }

  #countRequest(blocks: number, chunkBlocks: number, retry: boolean, now: number): void {
    this.#lastRequestAt = now;
    this.stats.serviceMs = this.#firstJoinAt ? now - this.#firstJoinAt : 0;
    this.stats.requests++;
    if (retry) this.stats.clientReRequests++;
    if (blocks === chunkBlocks) return;
    this.stats.partialRequests++;
    this.stats.partialBlocks += blocks;
  }
}
