import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { messageOf, UserError } from '../../util/errors.js';
import type { ChangeLog } from './change-log.js';
import { Consumers } from './consumers.js';
import { refusalOf } from './listen-guard.js';
import type { Output } from './output.js';

/** Keeps proxies from closing quiet streams, and finds consumers that are gone or stuck. */
const HEARTBEAT_MS = 15_000;
/** For a request to be there in full, and for another one on the same connection. */
const REQUEST_MS = 10_000;
const IDLE_MS = 5_000;
/** Consumers, and those that are asking: more connections are closed at once. */
const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 8 * 1024;

export type ListenAddress = { host: string; port: number };

/** `9000`, `0.0.0.0:9000`, `[::1]:9000`; without a host this machine only. Throws UserError `usage`. */
export function parseListen(text: string): ListenAddress {
  const found = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[2] ?? NaN);
  const host = (found?.[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  if (!(port >= 0 && port <= 65_535))
    throw new UserError(
      'usage',
      `--listen: ${JSON.stringify(text)} is not [HOST:]PORT`,
      'such as 9000, or 0.0.0.0:9000 for other machines',
    );
  return { host, port };
}

export type ListenOptions = {
  /** Names that requests may give as Host, besides localhost, addresses and the host that is listened on. */
  names?: readonly string[];
  heartbeatMs?: number;
  requestMs?: number;
};

/**
 * Serves consumers that connect: `/` is a snapshot, `/events` server-sent events, and any path a websocket. Who comes back
 * says which change it has (`Last-Event-ID`, or `?since=WATCH:SEQ`) and gets what followed; others get a snapshot first.
 * Whatever else comes in is answered with a 4xx, or closed.
 *
 * @throws UserError `environment` when it cannot listen there
 */
export async function listenOutput(
  log: ChangeLog,
  { host, port }: ListenAddress,
  say: (text: string) => void,
  options: ListenOptions = {},
): Promise<Output> {
  const { names = [], heartbeatMs = HEARTBEAT_MS, requestMs = REQUEST_MS } = options;
  const serving: Serving = { log, consumers: new Consumers(log, () => performance.now()), names: [...names, host], requestMs };
  const http = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: requestMs / 4,
      keepAliveTimeout: IDLE_MS,
    },
    (request, response) => answer(serving, request, response),
  );
  http.maxConnections = MAX_CONNECTIONS;
  const websockets = new WebSocketServer({ noServer: true, maxPayload: 4_096, perMessageDeflate: false });
  http.on('upgrade', (request, socket, head) => upgrade(serving, websockets, request, socket, head));
  await listening(http, host, port);
  const heartbeat = setInterval(() => serving.consumers.beat(), heartbeatMs);
  const { address, family, port: bound } = http.address() as AddressInfo; // as: it listens on TCP
  say(
    `listening on http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/ (snapshot), /events (server-sent events), and for websockets`,
  );
  return {
    close: () => {
      clearInterval(heartbeat);
      serving.consumers.end();
      const closed = new Promise<void>((resolve) => void http.close(() => resolve()));
      http.closeAllConnections();
      return closed;
    },
  };
}

type Serving = { log: ChangeLog; consumers: Consumers; names: readonly string[]; requestMs: number };

function listening(http: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause) =>
      reject(
        new UserError(
          'environment',
          `cannot listen on ${host}:${port}: ${messageOf(cause)}`,
          'is something else there? choose another port with --listen',
          { cause },
        ),
      ),
    );
    http.listen(port, host, resolve);
  });
}

/** The last change that the consumer has, or null when it knows nothing of this watch. */
function since(log: ChangeLog, { headers, url = '/' }: IncomingMessage): number | null {
  const header = headers['last-event-id'];
  const [, query = ''] = url.split('?', 2);
  const told = typeof header === 'string' ? header : new URLSearchParams(query).get('since');
  const [watch, seq] = (told ?? '').split(':');
  return watch === log.watch && /^\d{1,15}$/.test(seq ?? '') ? Number(seq) : null;
}

function answer({ log, consumers, names, requestMs }: Serving, request: IncomingMessage, response: ServerResponse): void {
  const refuse = (status: number, why: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain', 'content-length': why.length + 1, connection: 'close' }).end(`${why}\n`);
  };
  const path = (request.url ?? '/').split('?', 1)[0];
  if (request.method !== 'GET') return refuse(405, 'only GET');
  const refusal = refusalOf(request, names);
  if (refusal) return refuse(refusal.status, refusal.why);
  if (path === '/') response.setTimeout(requestMs, () => response.destroy()); // it may never be read
  if (path === '/')
    return void response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(`${log.snapshot()}\n`);
  if (path !== '/events') return refuse(404, 'there is / and /events');
  if (!consumers.hasPlace()) return refuse(503, 'all places are taken');
  consumers.addEvents(response, since(log, request));
}

function upgrade(
  { log, consumers, names }: Serving,
  websockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on('error', () => socket.destroy());
  const refuse = (status: string, why: string): void => {
    // the other end may never close its side
    socket.end(`HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${why}\n`, () => socket.destroy());
  };
  const refusal = refusalOf(request, names);
  if (refusal) return refuse(refusal.status === 400 ? '400 Bad Request' : '403 Forbidden', refusal.why);
  if (!consumers.hasPlace()) return refuse('503 Service Unavailable', 'all places are taken');
  websockets.handleUpgrade(request, socket, head, (websocket) => consumers.addWebsocket(websocket, since(log, request)));
}
