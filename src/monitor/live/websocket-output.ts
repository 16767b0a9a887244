import WebSocket from 'ws';
import { messageOf, UserError } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import { printable } from '../../util/text.js';
import type { ChangeLog } from './change-log.js';
import { Follower } from './follower.js';
import type { Output } from './output.js';

const HANDSHAKE_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** A consumer that nothing happens for is asked this often whether it is there, and is gone when it does not say so as long. */
const HEARTBEAT_MS = 15_000;
/** Nothing is expected from the other side. */
const MAX_INCOMING_BYTES = 4_096;

/** @throws UserError `usage` when it is no websocket URL */
export function checkWebsocketUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'ws:' && url.protocol !== 'wss:'))
    throw new UserError(
      'usage',
      `--websocket: ${JSON.stringify(text)} is not a websocket address`,
      'such as ws://127.0.0.1:9000/nodes or wss://example.org/nodes',
    );
  return url;
}

/**
 * Connects out to a consumer and keeps it informed: after each connection a snapshot, then changes. Lost connections are
 * made again, ever more slowly. What a consumer has received is known from its answers to pings, so changes that were
 * under way when it died are sent to the next one; `seq` tells who has them already.
 */
export function websocketOutput(log: ChangeLog, url: URL, host: Pick<Host, 'random'>, say: (text: string) => void): Output {
  const output = new WebsocketOutput(log, url, host, say);
  output.connect();
  return { close: () => output.close() };
}

class WebsocketOutput {
  readonly #log: ChangeLog;
  readonly #url: URL;
  readonly #host: Pick<Host, 'random'>;
  readonly #say: (text: string) => void;
  #socket: WebSocket | null = null;
  #retry: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  /** The last change that a consumer has surely received; null before the first connection, of which nothing older is owed. */
  #confirmed: number | null = null;
  #told = '';
  #closed = false;

  constructor(log: ChangeLog, url: URL, host: Pick<Host, 'random'>, say: (text: string) => void) {
    this.#log = log;
    this.#url = url;
    this.#host = host;
    this.#say = say;
  }

  connect(): void {
    const socket = (this.#socket = new WebSocket(this.#url, {
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: MAX_INCOMING_BYTES,
      perMessageDeflate: false,
    }));
    let problem = 'closed by the other side';
    let link: Link | null = null;
    socket.on('open', () => {
      this.#tell('connected');
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#confirmed ??= this.#log.seq;
      link = new Link(socket, this.#log, this.#confirmed, (seq) => (this.#confirmed = seq));
    });
    socket.on('error', (error) => (problem = messageOf(error)));
    socket.on('close', () => {
      link?.close();
      if (this.#closed) return;
      this.#tell(`not connected: ${problem}; trying again`);
      this.#retry = setTimeout(() => this.connect(), this.#pauseMs * (0.5 + this.#host.random()));
      this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
    });
  }

  /** Says what is new: not every attempt that fails for the same reason. */
  #tell(text: string): void {
    if (text !== this.#told) this.#say(`${this.#url.host}: ${printable(text)}`);
    this.#told = text;
  }

  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === null || socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), 1_000);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
      else socket.close(1001);
    });
  }
}

/** One connection: what was sent, and what has surely arrived. */
class Link {
  readonly #socket: WebSocket;
  readonly #follower: Follower;
  readonly #onConfirmed: (seq: number) => void;
  readonly #heartbeat: NodeJS.Timeout;
  #asked: number | null = null;
  #waitsSince = 0;

  constructor(socket: WebSocket, log: ChangeLog, after: number, onConfirmed: (seq: number) => void) {
    this.#socket = socket;
    this.#onConfirmed = onConfirmed;
    socket.on('pong', (data: Buffer) => this.#onPong(Number(data.toString('latin1'))));
    const send = (text: string): void => socket.send(text, () => setImmediate(() => this.#onTaken()));
    this.#follower = new Follower(log, { send, waiting: () => socket.bufferedAmount }, after, true);
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#ask();
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#follower.close();
  }

  #onTaken(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#follower.pump();
    if (this.#asked === null) this.#ask();
  }

  /** The answer to a ping says that everything before it has arrived. */
  #ask(): void {
    this.#asked = this.#follower.sent;
    this.#waitsSince = performance.now();
    this.#socket.ping(String(this.#asked));
  }

  #onPong(seq: number): void {
    if (seq !== this.#asked) return;
    this.#asked = null;
    this.#onConfirmed(seq);
    if (this.#follower.sent !== seq) this.#ask();
  }

  #beat(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#asked === null) this.#ask();
    else if (performance.now() - this.#waitsSince > HEARTBEAT_MS) this.#socket.terminate(); // it is silent: not there any more
  }
}
