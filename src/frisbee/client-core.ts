import { numberToIp } from '../util/ipv4.js';
import { BlockMap } from './block-map.js';
import { type ChunkBuffer, ChunkBuffers } from './chunk-buffers.js';
import { ChunkLedger } from './chunk-ledger.js';
import type { ClientProfile } from './receive-options.js';
import { type ClientStats, emptyClientStats } from './client-stats.js';
import { BLOCK_BYTES, blocksInChunk, CHUNK_BLOCKS, type Geometry, geometryOf } from './geometry.js';
import { Repairs } from './repairs.js';
import type { Origin } from './session-address.js';
import { WantList } from './want-list.js';
import type { Envelope, Message } from './message.js';
import { BLOCK_DATA_OFFSET, BLOCK_DATAGRAM_BYTES, blockChunk, blockNumber, blockSrcIp, decode, encode, isBlock } from './wire.js';

/** What the core needs done. All calls are synchronous and must not call back into the core. */
export type ClientActions = {
  /** Sends a datagram to the group. */
  send(datagram: Buffer): void;
  /** The server has answered: returns the memory of `buffers` buffers, 1 MiB each. */
  joined(geometry: Geometry, buffers: number): readonly Uint8Array[];
  /** A chunk is complete in its buffer, which stays its own until `bufferFreed`. `conflict`: a block of it that came twice, with different contents. */
  chunkReady(buffer: number, chunk: number, conflict: number | null): void;
};

export type ClientCoreOptions = {
  clientId: number;
  srcIp: number;
  port: number;
  /** 1 for images; 2 for any file (the 2015 client uses it with -N). */
  joinVersion: 1 | 2;
  /** Only this server's answer counts; null: the first that comes. */
  serverIp: string | null;
  inOrder: boolean;
  profile: ClientProfile;
  /** Uniform in [0, 1). */
  random: () => number;
  actions: ClientActions;
};

/**
 * The client's mind, without sockets, memory management or clocks. Follows the 2015 client: random order, requests to
 * the group, suppressed by what others asked for, three ticks of silence before asking again. One thing is better:
 * servers send a chunk's blocks in ascending order and one chunk after another, so when another chunk's blocks begin
 * to flow, what is missing of the previous one is lost, and is asked for at once instead of a second later.
 */
export class ClientCore {
  readonly stats: ClientStats = emptyClientStats();
  readonly #options: ClientCoreOptions;
  readonly #repairs: Repairs;
  /** The server's address, once it has answered: blocks from elsewhere belong to another session. */
  #server = '';
  #geometry: Geometry | null = null;
  #buffers = new ChunkBuffers(0);
  #memory: readonly Uint8Array[] = [];
  #ledger = new ChunkLedger(0);
  #wanted: WantList | null = null;
  #joinAt = -Infinity;
  #tickAt = Infinity;
  #ticksLeft = 1;
  #backoff = 0;
  #askAt = Infinity;
  #serverHeardAt = 0;
  /** When the last useful block came, or when we last asked for everything. */
  #fedAt = 0;

  constructor(options: ClientCoreOptions) {
    this.#options = options;
    this.#repairs = new Repairs(options.profile.repairDelayMs, options.random);
  }

  /** The file's geometry, once the server has answered. */
  get geometry(): Geometry | null {
    return this.#geometry;
  }

  /** Whether every block has been received. */
  get complete(): boolean {
    return this.#geometry !== null && this.#ledger.isComplete;
  }

  /** Milliseconds since anything came from the server although it owes us something; 0 otherwise. */
  serverSilentMs(now: number): number {
    const owed = this.#geometry !== null && !this.complete && (this.#buffers.freeCount > 0 || this.#buffers.fillingCount > 0);
    if (!owed) this.#serverHeardAt = now;
    return now - this.#serverHeardAt;
  }

  /** Call every 10 ms or so: joining, silence and repairs go by it. */
  poll(now: number): void {
    if (!this.#geometry) {
      if (now - this.#joinAt >= this.#options.profile.joinRetryMs) this.#join(now);
      return;
    }
    if (this.#repairs.isDue(now)) this.#repair(now);
    if (now >= this.#askAt) {
      this.#askAt = Infinity;
      this.#ask(true, now);
    }
    if (now >= this.#tickAt) this.#tick(now);
    // somebody may ask for the same in vain for ever, and so keep us quiet: once in a while we ask whatever was asked
    if (now - this.#fedAt >= this.#options.profile.hungerMs) this.#ask(true, now);
  }

  /** Takes in one datagram, and its body if the caller has it: of a BLOCK, which most of them are, nothing is made on the way to its place. */
  onDatagram(datagram: Buffer, from: Origin, now: number, body?: Uint8Array): void {
    if (isBlock(datagram)) return this.#onBlock(datagram, from, now, body);
    const envelope = decode(datagram);
    if (envelope) this.onEnvelope(envelope, from, now);
  }

  #onBlock(datagram: Buffer, from: Origin, now: number, body: Uint8Array | undefined): void {
    if (from.port !== this.#options.port || blockSrcIp(datagram) === this.#options.srcIp) return;
    this.#tickAt = now + this.#options.profile.tickMs;
    if (from.address !== this.#server) return;
    const data = body?.byteLength === BLOCK_BYTES ? body : datagram.subarray(BLOCK_DATA_OFFSET, BLOCK_DATAGRAM_BYTES);
    this.#takeBlock(blockChunk(datagram), blockNumber(datagram), data, now);
  }

  /** Takes in a decoded datagram that is no BLOCK. */
  onEnvelope({ srcIp, message }: Envelope, from: Origin, now: number): void {
    if (from.port !== this.#options.port || srcIp === this.#options.srcIp) return;
    this.#tickAt = now + this.#options.profile.tickMs;
    if (numberToIp(srcIp) !== from.address) return;
    if (message.kind === 'joined') this.#onJoined(message, from.address, now);
    else if (message.kind === 'request') this.#onOverheard(message.chunk, BlockMap.ofRun(message.first, message.count), true, now);
    else if (message.kind === 'prequest') this.#onOverheard(message.chunk, message.map, false, now);
  }

  /** Datagrams found no room in our socket's buffer. */
  onOverflow(): void {
    this.#repairs.onOverflow();
  }

  /** The chunk in a buffer has been used up: there is room for another. */
  bufferFreed(buffer: number, now: number): void {
    const wasFull = this.#buffers.freeCount === 0;
    this.#buffers.free(buffer);
    if (wasFull) this.#ask(false, now);
  }

  /** The chunk in a buffer is not what was served: all of it is forgotten, and wanted once more. */
  bufferRefused(buffer: number, chunk: number, now: number): void {
    this.#ledger.forget(chunk);
    this.#wanted?.putBack(chunk);
    this.#buffers.free(buffer);
    this.#ask(false, now);
  }

  #join(now: number): void {
    const { clientId, joinVersion } = this.#options;
    this.#joinAt = now;
    this.stats.joinAttempts++;
    const message: Message =
      joinVersion === 1
        ? { kind: 'join', version: 1, clientId }
        : { kind: 'join', version: 2, clientId, blocks: 0, chunkBlocks: CHUNK_BLOCKS, blockBytes: BLOCK_BYTES, sizeBytes: 0n };
    this.#send(message);
  }

  #onJoined(message: Message & { kind: 'joined' }, address: string, now: number): void {
    if (this.#geometry || message.version !== this.#options.joinVersion) return;
    if (this.#options.serverIp !== null && address !== this.#options.serverIp) return;
    if (message.version === 2 && (message.chunkBlocks !== CHUNK_BLOCKS || message.blockBytes !== BLOCK_BYTES)) return;
    if (message.version === 2 && message.clientId !== this.#options.clientId) return; // newer servers multicast their replies
    const geometry = geometryOf(message.version === 1 ? message.blocks * BLOCK_BYTES : Number(message.sizeBytes));
    if (!geometry) return;
    const { profile, actions, inOrder, random } = this.#options;
    const count = Math.min(profile.maxBuffers, geometry.chunks);
    this.#geometry = geometry;
    this.#server = address;
    this.#serverHeardAt = now;
    this.#fedAt = now;
    this.#ledger = new ChunkLedger(geometry.chunks);
    this.#wanted = new WantList(geometry.chunks, inOrder, random);
    this.#buffers = new ChunkBuffers(count);
    this.#memory = actions.joined(geometry, count);
    this.stats.chunkBuffers = count;
    this.stats.readAhead = Math.min(profile.readAhead, count);
    this.stats.inProgress = Math.min(profile.inProgress, count);
  }

  #takeBlock(chunk: number, block: number, data: Uint8Array, now: number): void {
    const geometry = this.#geometry;
    if (!geometry || chunk < 0 || chunk >= geometry.chunks || block < 0 || block >= blocksInChunk(geometry, chunk)) return;
    this.#serverHeardAt = now;
    this.#backoff = 0;
    this.#repairs.onBlock(chunk, block, this.#buffers, now);
    if (this.#repairs.isDue(now)) this.#repair(now);
    if (this.#ledger.isDone(chunk)) {
      this.stats.duplicateChunks++;
      return;
    }
    const buffer = this.#buffers.find(chunk) ?? this.#takeBuffer(geometry, chunk, block);
    if (!buffer) return;
    this.#ledger.stir(chunk, now);
    const memory = this.#memory[buffer.number];
    if (!buffer.have.add(block)) {
      this.stats.duplicateBlocks++;
      if (memory && Buffer.compare(data, memory.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)) !== 0) buffer.conflict ??= block;
      return;
    }
    memory?.set(data, block * BLOCK_BYTES);
    this.#ticksLeft = this.#options.profile.idleTicks;
    this.#fedAt = now;
    if (buffer.have.count === buffer.size) this.#complete(buffer, now);
  }

  #takeBuffer(geometry: Geometry, chunk: number, block: number): ChunkBuffer | null {
    if (this.#buffers.freeCount === 0 && block === 0) {
      const dropped = this.#buffers.recycleDubious();
      if (dropped !== null) {
        this.#ledger.giveUp(dropped);
        this.#wanted?.putBack(dropped);
        this.stats.partialDrops++;
      }
    }
    const buffer = this.#buffers.take(chunk, blocksInChunk(geometry, chunk), block > 0 && this.#ledger.isDropped(chunk));
    if (buffer) this.#ledger.take(chunk);
    else {
      this.stats.noFreeChunks++;
      this.#ledger.drop(chunk);
    }
    return buffer;
  }

  #complete(buffer: ChunkBuffer, now: number): void {
    const chunk = buffer.chunk;
    this.#ledger.complete(chunk);
    this.#buffers.complete(buffer);
    this.#options.actions.chunkReady(buffer.number, chunk, buffer.conflict);
    this.#ask(false, now);
  }

  #repair(now: number): void {
    for (const { buffer, lost } of this.#repairs.due(this.#buffers, now)) this.#sendPartial(buffer, lost, now);
  }

  /** Somebody else asked for something: what comes of it will reach us too, so we need not ask. */
  #onOverheard(chunk: number, map: BlockMap, resetsSilence: boolean, now: number): void {
    const geometry = this.#geometry;
    if (!geometry || chunk >= geometry.chunks) return;
    if (this.#ledger.isDone(chunk)) return;
    const buffer = this.#buffers.find(chunk);
    const missing = buffer?.have.missing(buffer.size);
    const useful = !missing || missing.meets(map);
    if (useful || map.count >= blocksInChunk(geometry, chunk)) this.#ledger.stir(chunk, now);
    if (!useful) return;
    if (resetsSilence) this.#ticksLeft = this.#options.profile.idleTicks;
    if (!buffer) return;
    buffer.asked.addAll(map);
    buffer.askedAt = now;
  }

  #tick(now: number): void {
    const { profile, random } = this.#options;
    this.#tickAt = now + profile.tickMs;
    if (this.complete) return;
    this.stats.receiveIdles++;
    if (--this.#ticksLeft > 0) return;
    this.#ticksLeft = profile.idleTicks + this.#backoff;
    if (this.#backoff < profile.maxBackoffTicks) this.#backoff++;
    if (profile.jitterMs > 0) this.#askAt = now + random() * profile.jitterMs;
    else this.#ask(true, now);
  }

  /** Asks for what is missing, and for new chunks while there is room for them. */
  #ask(timedOut: boolean, now: number): void {
    const geometry = this.#geometry;
    const { profile } = this.#options;
    if (!geometry || !this.#wanted) return;
    if (timedOut) this.#fedAt = now;
    // with jitter, what others asked for while we waited counts also after silence
    const patienceMs = timedOut ? profile.jitterMs : profile.redoMs;
    const due = (chunk: number): boolean => this.#ledger.quietMs(chunk, now) >= patienceMs;
    for (const buffer of this.#buffers.filling()) {
      if (!due(buffer.chunk)) continue;
      this.#sendPartial(buffer, buffer.have.missing(buffer.size), now);
      buffer.dubious = false;
    }
    if (this.#buffers.freeCount === 0 || this.#buffers.fillingCount >= profile.inProgress) return;
    const ahead = Math.min(profile.readAhead, this.#buffers.freeCount);
    for (const chunk of this.#wanted.first(ahead, (candidate) => !this.#ledger.isSeen(candidate))) {
      if (due(chunk)) this.#sendWhole(chunk, blocksInChunk(geometry, chunk), now);
    }
  }

  #sendPartial(buffer: ChunkBuffer, map: BlockMap, now: number): void {
    const { chunk } = buffer;
    buffer.asked.addAll(map);
    buffer.askedAt = now;
    buffer.repairAt = Infinity;
    this.stats.partialRequests++;
    this.stats.lostBlocks += map.count;
    this.#sendPartialRequest(chunk, map, now);
  }

  #sendWhole(chunk: number, size: number, now: number): void {
    if (this.#ledger.isOurs(chunk)) {
      this.stats.fullReRequests++;
      return this.#sendPartialRequest(chunk, BlockMap.ofRun(0, size), now);
    }
    this.#noteAsked(chunk, now);
    this.#send({ kind: 'request', chunk, first: 0, count: size });
  }

  #sendPartialRequest(chunk: number, map: BlockMap, now: number): void {
    const retries = this.#ledger.isOurs(chunk) ? 1 : 0;
    this.stats.reRequests += retries;
    this.#noteAsked(chunk, now);
    this.#send({ kind: 'prequest', chunk, retries, map });
  }

  #noteAsked(chunk: number, now: number): void {
    this.#ledger.ask(chunk, now);
    this.stats.requests++;
  }

  #send(message: Message): void {
    this.#options.actions.send(encode({ srcIp: this.#options.srcIp, message }));
  }
}
