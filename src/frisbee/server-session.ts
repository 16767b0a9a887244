import { Failure, messageOf } from '../util/errors.js';
import { systemHost, type Host } from '../util/host.js';
import { ipToNumber } from '../util/ipv4.js';
import { BATCH_BLOCKS, BlockSender } from './block-sender.js';
import { ImageFile } from './image-file.js';
import { Pacer } from './pacing.js';
import { RATE_WINDOW_MS } from './rate-control.js';
import type { Origin } from './session-address.js';
import { type Reply, ServerCore } from './server-core.js';
import type { ServerEvent, ServerInfo, ServerOptions, ServerStats } from './server-events.js';
import { openSession, type SessionSockets } from './sockets.js';
import { threadCpu } from './thread-cpu.js';
import { SUBTYPE_BLOCK } from './wire.js';
import { failureData } from '../util/failures.js';
import { fail } from './failures.js';

const CLIENT_SILENT_MS = 180_000;
/** Most replies to the group at one time: a flood of forged joins must not become one of replies. */
const MAX_GROUP_REPLIES = 16;
/** How long a network may be unreachable, say while its interface restarts, before the server gives up. */
const SEND_PATIENCE_MS = 10_000;

/** Shorter waits than this are slept through. */
const TIMER_MS = 3;

type Clock = Pick<Host, 'monotonicMs'>;

/** One server in this thread: owns socket and file, and gives the core its datagrams and its time. */
export class ServerSession {
  readonly info: ServerInfo;
  readonly #options: ServerOptions;
  readonly #host: Clock;
  readonly #emit: (event: ServerEvent) => void;
  readonly #image: ImageFile;
  readonly #sockets: SessionSockets;
  readonly #core: ServerCore;
  readonly #pacer: Pacer;
  readonly #sender: BlockSender;
  readonly #ticker: NodeJS.Timeout;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  /** Never changes: to wait for. */
  readonly #sleeping = new Int32Array(new SharedArrayBuffer(4));
  #busySince: number | null = null;
  #lastSendAt = 0;
  #failingSince: number | null = null;
  #heardAt: number;
  #idleReported = false;
  /** Replies that go to the group as well, at the next tick. */
  #groupReplies: Buffer[] = [];
  #stopped: ServerStats | null = null;

  /** Opens file and sockets. Throws the Failures of ImageFile and openSession. */
  static async start(options: ServerOptions, emit: (event: ServerEvent) => void, host: Clock = systemHost): Promise<ServerSession> {
    const image = new ImageFile(options.imagePath);
    let session: ServerSession | null = null;
    try {
      const sockets = await openSession(
        options,
        (bytes, from, now) => session?.onDatagram(bytes, from, now),
        (error) => session?.fail(fail('socket-failed', `UDP port ${options.port}: ${messageOf(error)}`)),
      );
      session = new ServerSession(options, image, sockets, emit, host);
      return session;
    } catch (error) {
      image.close();
      throw error;
    }
  }

  private constructor(options: ServerOptions, image: ImageFile, sockets: SessionSockets, emit: (event: ServerEvent) => void, host: Clock) {
    const now = host.monotonicMs();
    this.#host = host;
    const srcIp = ipToNumber(options.localIp);
    this.#options = options;
    this.#emit = emit;
    this.#image = image;
    this.#sockets = sockets;
    this.#heardAt = now;
    this.info = {
      receiveBufferBytes: sockets.receiveBufferBytes,
      sendBufferBytes: sockets.sendBufferBytes,
      sizeBytes: image.geometry.sizeBytes,
      blocks: image.geometry.blocks,
    };
    this.#core = new ServerCore({
      geometry: image.geometry,
      srcIp,
      port: options.port,
      rateBps: options.rateBps,
      loopback: options.loopback,
      clientSilentMs: options.clientSilentMs ?? CLIENT_SILENT_MS,
      now,
      emit,
    });
    this.#pacer = new Pacer(this.#core.rate.blocksPerSecond, now);
    this.#sender = new BlockSender(
      srcIp,
      { batch: sockets.batch, address: options.group, port: options.port },
      () => this.#afterBatch(),
      (error) => this.#onSendError(error),
    );
    this.#ticker = setInterval(() => this.#tick(), RATE_WINDOW_MS);
  }

  /** Takes in one datagram from the socket. */
  onDatagram(bytes: Buffer, from: Origin, now: number): void {
    if (this.#stopped) return;
    if (bytes[4] === SUBTYPE_BLOCK && bytes[0] === 1) return; // in loopback mode we hear ourselves
    this.#heardAt = now;
    const reply = this.#core.onDatagram(bytes, from, now);
    if (reply) this.#reply(reply);
    if (this.#core.hasWork && this.#busySince === null) {
      this.#busySince = now;
      this.#idleReported = false;
      this.#schedule(0);
    }
  }

  /** Reports that the server cannot go on, and stops sending. */
  fail(failure: Failure): void {
    if (this.#stopped) return;
    this.#emit({ type: 'failed', ...failureData(failure) });
    void this.stop();
  }

  /** Closes everything; returns the totals. May be called again. */
  async stop(): Promise<ServerStats> {
    if (this.#stopped) return this.#stopped;
    const { userMs, systemMs } = threadCpu();
    const stats: ServerStats = {
      ...this.#core.stats,
      fileReads: this.#image.reads,
      fileReadBytes: this.#image.readBytes,
      sendRetries: this.#sender.retries,
      userCpuMs: userMs,
      systemCpuMs: systemMs,
    };
    this.#stopped = stats;
    clearInterval(this.#ticker);
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#sender.close();
    await this.#sockets.close();
    this.#image.close();
    return stats;
  }

  /** Pumps after `delayMs`; 0 means after the sockets had their turn. */
  #schedule(delayMs: number): void {
    if (this.#stopped || this.#timer || this.#immediate) return;
    if (delayMs > 0)
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#pump();
      }, delayMs);
    else
      this.#immediate = setImmediate(() => {
        this.#immediate = null;
        this.#pump();
      });
  }

  #pump(): void {
    if (this.#stopped || this.#sender.busy) return;
    const now = this.#host.monotonicMs();
    const allowed = Math.min(BATCH_BLOCKS, this.#pacer.available(now));
    if (allowed < this.#pacer.burst(BATCH_BLOCKS)) return this.#waitForCredit();
    let left = allowed;
    try {
      for (let work = this.#core.take(left, now); work; work = left > 0 ? this.#core.take(left, now) : null) {
        left -= work.count;
        this.#sender.add(work.chunk, work.first, work.count, this.#image.read(work));
      }
      this.#sender.flush();
    } catch (error) {
      return this.fail(error instanceof Failure ? error : fail('image-unreadable', messageOf(error)));
    }
    this.#pacer.spend(allowed - left);
    this.#noteSent(allowed - left, now);
    if (left === allowed) this.#busySince = null; // nothing left to send: the next request starts us again
  }

  /** Timers are no finer than a millisecond or two, and at high rates that is many blocks: this thread has nothing else to do. */
  #waitForCredit(): void {
    const waitMs = this.#pacer.waitMs(this.#pacer.burst(BATCH_BLOCKS));
    if (waitMs < TIMER_MS) Atomics.wait(this.#sleeping, 0, 0, waitMs);
    this.#schedule(waitMs < TIMER_MS ? 0 : waitMs);
  }

  #noteSent(blocks: number, now: number): void {
    if (blocks === 0) return;
    this.#core.rate.sent(blocks, now - Math.max(this.#busySince ?? now, this.#lastSendAt));
    this.#lastSendAt = now;
  }

  #afterBatch(): void {
    this.#failingSince = null;
    this.#schedule(0);
  }

  /** Clients of some 2016 releases hear only what is sent to the group; the others ignore a second reply. */
  #reply({ bytes, address }: Reply): void {
    this.#sockets.send(bytes, address, (error) => error && this.#onSendError(error));
    if (address === this.#options.group || this.#groupReplies.length >= MAX_GROUP_REPLIES) return;
    if (!this.#groupReplies.some((other) => other.equals(bytes))) this.#groupReplies.push(bytes);
  }

  #replyToGroup(): void {
    for (const bytes of this.#groupReplies.splice(0))
      this.#sockets.send(bytes, this.#options.group, (error) => error && this.#onSendError(error));
  }

  #tick(): void {
    const now = this.#host.monotonicMs();
    this.#core.tick(now);
    this.#replyToGroup();
    this.#pacer.setRate(this.#core.rate.blocksPerSecond);
    const { idleTimeoutMs = Infinity, desertedTimeoutMs = Infinity, keepaliveMs = Infinity } = this.#options;
    if (now - this.#heardAt > keepaliveMs) {
      this.#heardAt = now;
      this.#rejoin();
    }
    if (this.#idleReported) return;
    const reason =
      this.#core.idleMs(now) > idleTimeoutMs ? 'no-requests' : this.#core.desertedMs(now) > desertedTimeoutMs ? 'last-client-left' : null;
    if (!reason) return;
    this.#idleReported = true;
    this.#emit({ type: 'idle', reason });
  }

  #rejoin(): void {
    try {
      this.#sockets.rejoin();
    } catch {
      // the interface is down: the next keepalive tries again
    }
  }

  #onSendError(error: Error): void {
    const now = this.#host.monotonicMs();
    this.#failingSince ??= now;
    if (now - this.#failingSince < SEND_PATIENCE_MS) return;
    const { group, port, localIp } = this.#options;
    this.fail(
      fail(
        'send-failed',
        `cannot send to ${group}:${port} from ${localIp}: ${messageOf(error)}`,
        `is there a route to ${group}, and is the interface up?`,
      ),
    );
  }
}
