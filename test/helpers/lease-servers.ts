import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

const HOST = '127.25.0.1';
export const certPath = new URL('../fixtures/leases/cert.pem', import.meta.url).pathname;
const keyPath = new URL('../fixtures/leases/key.pem', import.meta.url).pathname;

/** How a server behaves instead of answering. */
export type Mood = 'well' | 'silent' | 'garbage' | 'huge' | 'error' | 'drops';

export type LeaseServer = {
  url: string;
  mood: Mood;
  /** The requests that the mood is for, as in `seen`; all by default. */
  moodOn: RegExp;
  /** `GET /leases?after=…`, one for each request seen. */
  seen: string[];
  /** Resolves when the next request has come. */
  next(): Promise<void>;
  close(): Promise<void>;
};

export type ServedLease = { id: number; resource_id: number; slice_id: number; slice_name: string | null; t_from: string; t_until: string };

/** An R2lab API: what it serves can be changed at any time, and what was booked is found in `leases`. */
export type R2labServer = LeaseServer & { leases: ServedLease[]; tokens: Set<string> /** How often somebody logged in. */; logins: number };

const RESOURCE = 'r2lab.inria.fr';
export const ACCOUNT = { email: 'me@example.org', password: 's3cret' };

let nextId = 100;
export function lease(slice: string | null, from: number | string, until: number | string): ServedLease {
  const iso = (time: number | string): string => (typeof time === 'string' ? time : new Date(time).toISOString().replace('.000Z', 'Z'));
  return { id: nextId++, resource_id: 1, slice_id: 7, slice_name: slice, t_from: iso(from), t_until: iso(until) };
}

export async function r2labServer(
  leases: ServedLease[] = [],
  options: { tls?: boolean; granularityS?: number } = {},
): Promise<R2labServer> {
  const base = await serve(options.tls === true, async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
    const say = (status: number, body?: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body));
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const allowed = token !== undefined && state.tokens.has(token);
    const body = await jsonOf(request);
    if (request.method === 'GET' && pathname === '/leases') {
      const after = Date.parse(searchParams.get('after') ?? '');
      if (Number.isNaN(after)) return say(422, { detail: 'after' });
      return say(
        200,
        state.leases.filter((each) => !(Date.parse(each.t_until) <= after)),
      );
    }
    if (request.method === 'POST' && pathname === '/auth/login') {
      if (body.email !== ACCOUNT.email || body.password !== ACCOUNT.password) return say(401, { detail: 'Invalid credentials' });
      const made = `token-${(state.logins += 1)}`;
      state.tokens.add(made);
      return say(200, { access_token: made, token_type: 'bearer' });
    }
    const resource = /^\/resources\/by-name\/(.+)$/.exec(pathname)?.[1];
    if (request.method === 'GET' && resource !== undefined) {
      return decodeURIComponent(resource) === RESOURCE
        ? say(200, { id: 1, name: RESOURCE, granularity: options.granularityS ?? 600 })
        : say(404, { detail: 'Resource not found' });
    }
    if (!allowed) return say(401, { detail: 'Could not validate credentials' });
    if (request.method === 'POST' && pathname === '/leases') {
      if (body.resource_name !== RESOURCE) return say(404, { detail: 'Resource not found' });
      if (body.slice_name === 'notmine') return say(403, { detail: 'Not a member of this slice' });
      const made = lease(String(body.slice_name), String(body.t_from), String(body.t_until));
      const taken = state.leases.some(
        (each) => Date.parse(each.t_from) < Date.parse(made.t_until) && Date.parse(made.t_from) < Date.parse(each.t_until),
      );
      if (taken) return say(409, { detail: 'Overlapping lease' });
      state.leases.push(made);
      return say(201, made);
    }
    const id = /^\/leases\/(\d+)$/.exec(pathname)?.[1];
    if (request.method === 'DELETE' && id !== undefined) {
      const index = state.leases.findIndex((each) => each.id === Number(id));
      if (index < 0) return say(404, { detail: 'Lease not found' });
      state.leases.splice(index, 1);
      return say(204);
    }
    say(404, { detail: 'Not Found' });
  });
  const state: R2labServer = Object.assign(base, { leases, tokens: new Set<string>(), logins: 0 });
  return state;
}

/** An OMF server with these resources, as `resource_response.resources`. */
export async function omfServer(resources: () => unknown, options: { tls?: boolean } = {}): Promise<LeaseServer> {
  return serve(options.tls === true, (request, response) => {
    const found = request.method === 'GET' && request.url === '/resources/leases';
    response
      .writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(found ? { resource_response: { type: 'resource_list', resources: resources() } } : { exception: {} }));
  });
}

async function serve(
  tls: boolean,
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<LeaseServer> {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const server: LeaseServer = {
    url: '',
    mood: 'well',
    moodOn: /./,
    seen: [],
    next: () => new Promise((resolve) => waiting.push(resolve)),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      http.close();
      await once(http, 'close');
    },
  };
  const listener: RequestListener = (request, response) => {
    const line = `${request.method} ${request.url}`;
    server.seen.push(line);
    for (const resolve of waiting.splice(0)) resolve();
    if (server.mood === 'well' || !server.moodOn.test(line)) return void answer(request, response);
    request.resume();
    if (server.mood === 'garbage') response.end('<html>Welcome to nginx</html>');
    else if (server.mood === 'error') response.writeHead(500).end('{"detail":"database is down"}');
    else if (server.mood === 'drops') request.socket.destroy();
    else if (server.mood === 'huge') endless(response);
  };
  const http = tls ? createHttps({ key: readFileSync(keyPath), cert: readFileSync(certPath) }, listener) : createHttp(listener);
  http.on(tls ? 'secureConnection' : 'connection', (socket: Socket) =>
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {})),
  );
  http.on('tlsClientError', () => {});
  http.listen(0, HOST);
  await once(http, 'listening');
  server.url = `http${tls ? 's' : ''}://${HOST}:${(http.address() as AddressInfo).port}`; // a TCP server's address is never a string
  return server;
}

function endless(response: ServerResponse): void {
  response.write('[');
  const more = (): void => void (response.destroyed || response.write('"x",'.repeat(10_000), () => setImmediate(more)));
  more();
}

async function jsonOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set
  try {
    return Object(JSON.parse(Buffer.concat(chunks).toString() || '{}')) as Record<string, unknown>; // Object: never a primitive
  } catch {
    return {};
  }
}
