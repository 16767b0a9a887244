import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { messageOf, UserError } from '../../util/errors.js';
import type { ChangeLog } from './change-log.js';
import { Follower } from './follower.js';
import type { Output } from './output.js';

const MAX_CONSUMERS = 100;
/** Keeps proxies from closing quiet streams, and finds consumers that are gone. */
const HEARTBEAT_MS = 15_000;

export type ListenAddress = { host: string; port: number };

/** `9000`, `0.0.0.0:9000`, `[::1]:9000`; without a host this machine only. Throws UserError `usage`. */
export function parseListen(text: string): ListenAddress {
  const found = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[2] ?? NaN);
  const host = (found?.[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  if (!(port >= 0 && port <= 65_535)) throw new UserError('usage', `--listen: ${JSON.stringify(text)} is not [HOST:]PORT`, 'such as 9000, or 0.0.0.0:9000 for other machines');
  return { host, port };
}

/**
 * Serves consumers that connect: `/` is a snapshot, `/events` server-sent events, and any path a websocket. Who comes back
 * says which change it has (`Last-Event-ID`, or `?since=WATCH:SEQ`) and gets what followed; others get a snapshot first.
 *
 * @throws UserError `environment` when it cannot listen there
 */
export async function listenOutput(log: ChangeLog, { host, port }: ListenAddress, say: (text: string) => void): Promise<Output> {
  const http = createServer((request, response) => answer(log, consumers, request, response));
  const websockets = new WebSocketServer({ noServer: true, maxPayload: 4_096, perMessageDeflate: false });
  const consumers = new Set<Consumer>();
  http.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (!isSameOrigin(request) || consumers.size >= MAX_CONSUMERS) return void socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
    websockets.handleUpgrade(request, socket, head, (websocket) => serveWebsocket(log, consumers, websocket, since(log, request)));
  });
  await listening(http, host, port);
  const heartbeat = setInterval(() => consumers.forEach((consumer) => consumer.beat()), HEARTBEAT_MS);
  const { address, family, port: bound } = http.address() as AddressInfo; // as: it listens on TCP
  say(`listening on http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/ (snapshot), /events (server-sent events), and for websockets`);
  return {
    close: () => {
      clearInterval(heartbeat);
      for (const consumer of consumers) consumer.end();
      const closed = new Promise<void>((resolve) => void http.close(() => resolve()));
      http.closeAllConnections();
      return closed;
    },
  };
}

type Consumer = { beat(): void; end(): void };

function listening(http: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause) => reject(new UserError('environment', `cannot listen on ${host}:${port}: ${messageOf(cause)}`, 'is something else there? choose another port with --listen', { cause })));
    http.listen(port, host, resolve);
  });
}

/** A page from elsewhere, in somebody's browser, must not read what is meant for this machine or network. */
function isSameOrigin({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** The last change that the consumer has, or null when it knows nothing of this watch. */
function since(log: ChangeLog, request: IncomingMessage): number | null {
  const header = request.headers['last-event-id'];
  const told = typeof header === 'string' ? header : new URL(request.url ?? '/', 'http://localhost').searchParams.get('since');
  const [watch, seq] = (told ?? '').split(':');
  return watch === log.watch && /^\d{1,15}$/.test(seq ?? '') ? Number(seq) : null;
}

function answer(log: ChangeLog, consumers: Set<Consumer>, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (request.method !== 'GET' || !isSameOrigin(request)) return void response.writeHead(request.method === 'GET' ? 403 : 405).end();
  if (path === '/') return void response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(`${log.snapshot()}\n`);
  if (path !== '/events') return void response.writeHead(404, { 'content-type': 'text/plain' }).end('there is / and /events\n');
  if (consumers.size >= MAX_CONSUMERS) return void response.writeHead(503).end();
  serveEvents(log, consumers, response, since(log, request));
}

function serveEvents(log: ChangeLog, consumers: Set<Consumer>, response: ServerResponse, after: number | null): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (text: string, seq: number): void => void response.write(`id: ${log.watch}:${seq}\ndata: ${text}\n\n`);
  const follower = new Follower(log, { send, waiting: () => response.writableLength }, after, after === null);
  response.on('drain', () => follower.pump()).on('error', () => response.destroy());
  const consumer: Consumer = { beat: () => void response.write(':\n\n'), end: () => void response.end() };
  consumers.add(consumer);
  response.on('close', () => {
    follower.close();
    consumers.delete(consumer);
  });
}

function serveWebsocket(log: ChangeLog, consumers: Set<Consumer>, websocket: WebSocket, after: number | null): void {
  let alive = true;
  const send = (text: string): void => websocket.send(text, () => setImmediate(() => follower?.pump()));
  let follower: Follower | null = null;
  const consumer: Consumer = {
    beat: () => {
      if (!alive) return websocket.terminate();
      alive = false;
      websocket.ping();
    },
    end: () => websocket.terminate(),
  };
  consumers.add(consumer);
  websocket.on('pong', () => (alive = true)).on('error', () => websocket.terminate());
  websocket.on('close', () => {
    follower?.close();
    consumers.delete(consumer);
  });
  follower = new Follower(log, { send, waiting: () => websocket.bufferedAmount }, after, after === null);
}
