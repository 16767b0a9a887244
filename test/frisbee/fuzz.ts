import { ipToNumber, numberToIp } from '../../src/util/ipv4.js';
import { ClientCore } from '../../src/frisbee/client-core.js';
import { REAL_PROFILE } from '../../src/frisbee/receive-options.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { geometryOf, type Geometry } from '../../src/frisbee/geometry.js';
import type { Origin } from '../../src/frisbee/session-address.js';
import { ServerCore } from '../../src/frisbee/server-core.js';
import { decode, encode } from '../../src/frisbee/wire.js';
import { dice, type Dice } from '../helpers/mutate.js';
import { damaged, someMessage } from './fuzz-datagrams.js';

const PORT = 5005;
const SERVER = '10.9.0.1';
const SELF = '10.9.0.2';
/** A core lives for so many datagrams; then comes one for another image. */
const LIFE = 50_000;
const SLICE = 5_000;

/** `slowestMs`: processor time of the slowest 5,000 datagrams. `accepted`: how many were valid messages. */
export type FuzzReport = { count: number; accepted: number; slowestMs: number; peakBytes: number };

class Meter {
  readonly report: FuzzReport = { count: 0, accepted: 0, slowestMs: 0, peakBytes: 0 };
  #since = process.cpuUsage();

  step(): void {
    if (++this.report.count % SLICE !== 0) return;
    const { user, system } = process.cpuUsage(this.#since);
    this.report.slowestMs = Math.max(this.report.slowestMs, (user + system) / 1000);
    this.report.peakBytes = Math.max(this.report.peakBytes, process.memoryUsage.rss());
    this.#since = process.cpuUsage();
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`broken: ${what}`);
}

function geometry(sizeBytes: number): Geometry {
  const found = geometryOf(sizeBytes);
  if (!found) throw new Error('no geometry');
  return found;
}

/** Where a datagram comes from: mostly from where it says, and from the session's port. */
function origin(bytes: Buffer, roll: Dice): Origin {
  const claimed = bytes.length >= 16 ? bytes.readUInt32BE(12) : 0;
  return { address: numberToIp(roll(16) === 0 ? ipToNumber('10.9.0.77') : claimed), port: roll(32) === 0 ? PORT + 1 : PORT };
}

/** Someone of a few, someone of very many, or the server itself. */
function sender(roll: Dice): number {
  switch (roll(4)) {
    case 0:
      return ipToNumber('10.0.0.0') + roll(1 << 20);
    case 1:
      return ipToNumber(SERVER);
    default:
      return ipToNumber('10.9.0.3') + roll(40);
  }
}

const IMAGES = [1, 70_001, CHUNK_BYTES, 5 * CHUNK_BYTES + 70_001, 200 * CHUNK_BYTES, 2 ** 36];

/** Sends `count` damaged datagrams to server cores. Throws when one of them throws, answers what it must not, or holds more than it may. */
export function fuzzServer(count: number, seed: number): FuzzReport {
  const roll = dice(seed);
  const meter = new Meter();
  const scratch = Buffer.alloc(1400);
  for (let core: ServerCore | undefined, shape = geometry(1), now = 0; meter.report.count < count; meter.step()) {
    if (!core || meter.report.count % LIFE === 0) {
      shape = geometry(IMAGES[roll(IMAGES.length)] ?? 1);
      core = new ServerCore({
        geometry: shape,
        srcIp: ipToNumber(SERVER),
        port: PORT,
        rateBps: 1e9,
        loopback: false,
        clientSilentMs: 1e9,
        now,
        emit: () => undefined,
      });
    }
    now += roll(4) / 4;
    const bytes = damaged(someMessage(roll, shape.chunks), sender(roll), scratch, roll);
    const from = origin(bytes, roll);
    const before = core.stats.messagesIn;
    const reply = core.onDatagram(bytes, from, now);
    meter.report.accepted += core.stats.messagesIn - before;
    if (reply)
      check(reply.bytes.length <= 40 && reply.address === from.address && decode(reply.bytes)?.message.kind === 'joined', 'a reply');
    if (roll(3) === 0) takeSome(core, shape, roll, now);
    if (meter.report.count % 100 === 0) core.tick(now);
    check(core.clients.size <= 4096, 'the table of clients');
    check(core.stats.maxQueueEntries <= 2 * shape.chunks, 'the queue');
    check(core.rate.rateBps >= 1e7 && core.rate.rateBps <= 1e9, 'the rate');
  }
  return meter.report;
}

function takeSome(core: ServerCore, shape: Geometry, roll: Dice, now: number): void {
  const limit = 1 + roll(64);
  const work = core.take(limit, now);
  if (!work) return;
  check(work.count >= 1 && work.count <= limit && work.first >= 0, 'a piece of work');
  check(work.chunk * 1024 + work.first + work.count <= shape.blocks && work.first + work.count <= 1024, 'work beyond the image');
}

/** The byte that block holds in the true image. */
const truth = (chunk: number, block: number): number => (chunk * 7 + block) & 0x7f;

/**
 * Sends `count` damaged datagrams to clients in a session; the true server's blocks are among them, in any order. Throws
 * when one throws, takes a block of anybody else, writes outside its memory, or sends more than it hears.
 */
export function fuzzClient(count: number, seed: number): FuzzReport & { completed: number } {
  const roll = dice(seed);
  const meter = new Meter();
  const scratch = Buffer.alloc(1400);
  let completed = 0;
  for (let session: ClientUnderFire | undefined; meter.report.count < count; meter.step()) {
    if (!session || session.core.complete || meter.report.count % LIFE === 0) {
      if (session?.core.complete) completed++;
      session = new ClientUnderFire(roll, scratch, 1 + roll(6), roll(4) === 0);
    }
    meter.report.accepted += session.step();
  }
  return { ...meter.report, completed };
}

class ClientUnderFire {
  readonly core: ClientCore;
  readonly #roll: Dice;
  readonly #scratch: Buffer;
  readonly #chunks: number;
  readonly #full: number[] = [];
  #memory: Uint8Array[] = [];
  #sent = 0;
  #heard = 0;
  #now = 0;

  constructor(roll: Dice, scratch: Buffer, chunks: number, named: boolean) {
    this.#roll = roll;
    this.#scratch = scratch;
    this.#chunks = chunks;
    this.core = new ClientCore({
      clientId: 42,
      srcIp: ipToNumber(SELF),
      port: PORT,
      joinVersion: 1,
      serverIp: named ? SERVER : null,
      inOrder: false,
      profile: { ...REAL_PROFILE, maxBuffers: 3 },
      random: () => roll(1 << 20) / (1 << 20),
      actions: {
        send: (bytes) => {
          this.#sent++;
          check(decode(bytes) !== null, 'what a client sends');
        },
        joined: (_, buffers) => (this.#memory = Array.from({ length: buffers }, () => new Uint8Array(CHUNK_BYTES))),
        chunkReady: (buffer, chunk) => this.#verify(buffer, chunk),
      },
    });
    this.core.poll(0);
    if (named) for (let i = 0; i < 4; i++) this.#fire(true); // forged answers must not take it elsewhere
    this.core.onEnvelope(
      { srcIp: ipToNumber(SERVER), message: { kind: 'joined', version: 1, blocks: chunks * 1024 } },
      { address: SERVER, port: PORT },
      0,
    );
    check(this.core.geometry?.chunks === chunks, 'the answer of the server');
  }

  /** One datagram; 1 when it was a valid message. */
  step(): number {
    this.#now += this.#roll(8) / 4;
    const accepted = this.#roll(8) === 0 ? this.#trueBlocks() : this.#fire();
    this.core.poll(this.#now);
    if (this.#full.length > 0 && this.#roll(3) === 0) this.core.bufferFreed(this.#full.shift() ?? 0, this.#now);
    check(this.#sent <= 20 + this.#heard, 'how much a client sends');
    return accepted;
  }

  #fire(isBeforeAnswer = false): number {
    this.#heard++;
    const bytes = damaged(someMessage(this.#roll, this.#chunks), sender(this.#roll), this.#scratch, this.#roll);
    const envelope = decode(bytes);
    const from = origin(bytes, this.#roll);
    if (!envelope) {
      this.core.onDatagram(bytes, from, this.#now); // no message to anybody
      return 0;
    }
    const { message } = envelope;
    const isForged = from.address !== SERVER || from.port !== PORT;
    if (isBeforeAnswer && !isForged) return 1;
    if (message.kind === 'block' && !isForged && message.chunk < this.#chunks) message.data.fill(truth(message.chunk, message.block));
    const before = isForged && (message.kind === 'block' || message.kind === 'joined') ? this.#state() : null;
    this.core.onDatagram(bytes, from, this.#now);
    if (before !== null) check(this.#state() === before, `a forged ${message.kind} changed something`);
    return 1;
  }

  /** A run of blocks as the server sends them. */
  #trueBlocks(): number {
    const [chunk, first] = [this.#roll(this.#chunks), 32 * this.#roll(32)];
    for (let block = first; block < first + 32; block++) {
      this.core.onDatagram(
        encode({ srcIp: ipToNumber(SERVER), message: { kind: 'block', chunk, block, data: Buffer.alloc(1024, truth(chunk, block)) } }),
        { address: SERVER, port: PORT },
        this.#now,
      );
    }
    this.#heard += 32;
    return 1;
  }

  #verify(buffer: number, chunk: number): void {
    const memory = this.#memory[buffer];
    check(memory !== undefined, 'a buffer');
    for (let block = 0; block < 1024; block++)
      for (const at of [0, 511, 1023])
        check(memory?.[1024 * block + at] === truth(chunk, block), `block ${chunk}:${block} is not the server's`);
    this.#full.push(buffer);
  }

  #state(): string {
    return `${this.#sent} ${this.core.geometry?.blocks} ${Object.values(this.core.stats).join()}`;
  }
}
