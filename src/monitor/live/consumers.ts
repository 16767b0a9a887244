import type { ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import type { ChangeLog } from './change-log.js';
import { Follower } from './follower.js';

const MAX_CONSUMERS = 100;
/** Whoever has been told of changes for so long gives up its place when all are taken and somebody new comes. */
const MIN_STAY_MS = 30_000;

type Consumer = {
  readonly sinceMs: number;
  /** Server-sent events have no sign of life: such a one may have gone long ago, and comes back by itself when it has not. */
  readonly mayBeIdle: boolean;
  beat(): void;
  end(): void;
};

/**
 * Who is told of changes. Each must take what is sent between two beats, or answer a ping, or it is dropped; a stream of
 * server-sent events that only the kernel takes in cannot be told from one that is read, so when there is no place the
 * oldest of these makes room: browsers come back by themselves, with the number of the last change they have.
 */
export class Consumers {
  readonly #log: ChangeLog;
  readonly #nowMs: () => number;
  readonly #all = new Set<Consumer>();

  constructor(log: ChangeLog, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether there is a place for one more; makes one if that can be done. */
  hasPlace(): boolean {
    if (this.#all.size < MAX_CONSUMERS) return true;
    const longest = [...this.#all].find(({ mayBeIdle, sinceMs }) => mayBeIdle && this.#nowMs() - sinceMs >= MIN_STAY_MS);
    if (!longest) return false;
    this.#all.delete(longest);
    longest.end();
    return true;
  }

  /** Call now and then: finds those that are gone or stuck. */
  beat(): void {
    for (const consumer of this.#all) consumer.beat();
  }

  end(): void {
    for (const consumer of this.#all) consumer.end();
  }

  /** Tells whoever waits for `response` of changes, as server-sent events. */
  addEvents(response: ServerResponse, after: number | null): void {
    let taken = true;
    const write = (text: string): void => void response.write(text, () => (taken = true));
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders(); // there may be nothing to tell for a while
    const send = (text: string, seq: number): void => write(`id: ${this.#log.watch}:${seq}\ndata: ${text}\n\n`);
    const follower = new Follower(this.#log, { send, waiting: () => response.writableLength }, after, after === null);
    response.on('drain', () => follower.pump()).on('error', () => response.destroy());
    const consumer: Consumer = {
      sinceMs: this.#nowMs(),
      mayBeIdle: true,
      beat: () => {
        if (!taken && response.writableLength > 0) return void response.destroy();
        taken = false;
        write(':\n\n');
      },
      end: () => void (response.writableLength > 0 ? response.destroy() : response.end()),
    };
    this.#all.add(consumer);
    response.on('close', () => {
      follower.close();
      this.#all.delete(consumer);
    });
  }

  /** Tells the other end of a websocket of changes. */
  addWebsocket(websocket: WebSocket, after: number | null): void {
    let [asked, answered] = [0, 0];
    let follower: Follower | null = null;
    const send = (text: string): void => websocket.send(text, () => setImmediate(() => follower?.pump()));
    const consumer: Consumer = {
      sinceMs: this.#nowMs(),
      mayBeIdle: false,
      beat: () => {
        if (answered !== asked) return websocket.terminate();
        websocket.ping(String(++asked)); // an answer without its number is no sign that it was read
      },
      end: () => websocket.terminate(),
    };
    this.#all.add(consumer);
    websocket
      .on('pong', (data: Buffer) => (answered = data.toString('latin1') === String(asked) ? asked : answered))
      .on('error', () => websocket.terminate());
    websocket.on('close', () => {
      follower?.close();
      this.#all.delete(consumer);
    });
    follower = new Follower(this.#log, { send, waiting: () => websocket.bufferedAmount }, after, after === null);
  }
}
