import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { closeServer, listenOn } from './listening.js';

/** What a card makes of a request: the verb of `GET /verb`, without the slash. */
export type CardHandler = (verb: string) => { status: number; text: string };

/** How a card behaves before it even reads a request. */
export type CardManner = 'answers' | 'silent';

/** A connection that says nothing for this long is dropped, as a small card would. */
const IDLE_MS = 30_000;

/** The power cards of many nodes: one HTTP server behind a listener per card. Each reply ends its connection. */
export class CmcServers {
  readonly #http: HttpServer;
  readonly #handlers = new WeakMap<Socket, CardHandler>();
  readonly #listeners = new Set<Server>();
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#http = createHttpServer((request, response) => this.#answer(request, response));
    this.#http.on('clientError', (_, socket) => socket.destroy());
  }

  /** Opens one card. Rejects with the system's error when the address is taken. */
  async open(ip: string, port: number, manner: CardManner, handler: CardHandler): Promise<void> {
    const listener = createServer({ noDelay: true }, (socket) => this.#connection(socket, manner, handler));
    this.#listeners.add(listener);
    await listenOn(listener, ip, port);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#listeners].map(closeServer));
    this.#listeners.clear();
  }

  #connection(socket: Socket, manner: CardManner, handler: CardHandler): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    if (manner === 'silent') {
      socket.on('error', () => socket.destroy());
      socket.resume(); // read and thrown away: the client hears nothing but TCP's acknowledgements
      return;
    }
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    this.#handlers.set(socket, handler);
    this.#http.emit('connection', socket);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { status, text } = this.#reply(request);
    response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text), Connection: 'close' });
    response.end(text);
  }

  #reply(request: IncomingMessage): { status: number; text: string } {
    if (request.method !== 'GET') return { status: 405, text: 'GET only' };
    const verb = /^\/([a-z]+)\/?$/.exec(request.url ?? '')?.[1];
    const handler = this.#handlers.get(request.socket);
    if (verb === undefined || !handler) return { status: 404, text: 'unknown command' };
    return handler(verb);
  }
}
