import { once, setMaxListeners } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createPowerClient, type PowerClient, type PowerClientOptions } from '../../src/power/client.js';
import { fail as pxeFail } from '../../src/pxe/failures.js';

const never = new AbortController().signal;
const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

/** All cards of a test share one port, on addresses of their own, as real ones do. */
let port = 0;

async function listen(server: Server, ip: string): Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {})));
  server.listen(cleanup.length > 0 ? port : 0, ip);
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port; // a TCP server's address is never a string
  cleanup.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
}

async function card(handler: RequestListener, ip = '127.24.0.5'): Promise<{ hostname: string; ip: string }> {
  await listen(createHttpServer(handler), ip);
  return { hostname: 'reboot05', ip };
}

async function says(text: string, code = 200): Promise<{ hostname: string; ip: string }> {
  return card((_, response) => response.writeHead(code).end(text));
}

/** A card on which something else than a web server listens. */
async function raw(onSocket: (socket: Socket) => void): Promise<{ hostname: string; ip: string }> {
  await listen(createTcpServer(onSocket), '127.24.0.5');
  return { hostname: 'reboot05', ip: '127.24.0.5' };
}

function client(more: Partial<PowerClientOptions> = {}): PowerClient {
  const made = createPowerClient({ port, requestTimeoutMs: 5_000, busyPauseMs: 2, ...more });
  cleanup.push(() => made.close());
  return made;
}

describe('PowerClient', () => {
  test('sends a GET of the verb without a body, and understands the answer', async () => {
    const seen: string[] = [];
    const cmc = await card((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host}`);
      response.end(request.url === '/status' ? 'on' : 'already on');
    });
    const power = client();
    expect(await power.send(cmc, 'status', { signal: never })).toEqual({ verb: 'status', text: 'on', state: 'on', already: false });
    expect(await power.send(cmc, 'on', { signal: never })).toEqual({ verb: 'on', text: 'already on', state: 'on', already: true });
    expect(seen).toEqual([`GET /status 127.24.0.5:${port}`, `GET /on 127.24.0.5:${port}`]);
  });

  test('understands a bare HTTP/1.0 answer that ends with the connection', async () => {
    const cmc = await raw((socket) => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nok\r\n')));
    expect(await client().send(cmc, 'reset', { signal: never })).toMatchObject({ text: 'ok' });
  });

  test('asks a busy card again, and tells', async () => {
    let busy = 3;
    const cmc = await card((_, response) => response.end(busy-- > 0 ? 'CM card busy' : 'ok'));
    const told: string[] = [];
    expect(await client().send(cmc, 'off', { signal: never, onAgain: (why) => told.push(why) })).toMatchObject({ state: 'off' });
    expect(told).toEqual(['is busy', 'is busy', 'is busy']);
  });

  test('gives up on a card that stays busy', async () => {
    let requests = 0;
    const cmc = await card((_, response) => ((requests += 1), response.end('CM card busy')));
    await expect(client().send(cmc, 'off', { signal: never })).rejects.toMatchObject({
      code: 'cmc-busy',
      message: `reboot05 (127.24.0.5:${port}): off was answered 'CM card busy' 8 times`,
    });
    expect(requests).toBe(8);
  });

  test('asks a busy card no more once that is not allowed any longer', async () => {
    let requests = 0;
    const cmc = await card((_, response) => ((requests += 1), response.end('CM card busy')));
    const before = async (): Promise<void> => {
      if (requests === 2) throw pxeFail('lock-lost', 'not ours any more');
    };
    await expect(client().send(cmc, 'off', { signal: never, before })).rejects.toMatchObject({ code: 'lock-lost' });
    expect(requests).toBe(2);
  });

  test('a deadline that ends while the card is busy says busy, not timeout', async () => {
    const cmc = await says('CM card busy');
    await expect(client({ busyPauseMs: 60_000 }).send(cmc, 'off', { signal: never, timeoutMs: 100 })).rejects.toMatchObject({
      code: 'cmc-busy',
    });
  });

  test('pauses grow, with jitter', async () => {
    const cmc = await says('CM card busy');
    const at: number[] = [];
    await client({ busyPauseMs: 16, random: () => 0.5 })
      .send(cmc, 'off', { signal: never, onAgain: () => at.push(performance.now()) })
      .catch(() => {});
    expect((at[4] ?? 0) - (at[3] ?? 0)).toBeGreaterThan(100);
  });

  test.each([
    ['status', 'maybe', '"maybe"'],
    ['reset', '', 'nothing'],
    ['on', '<html>', '"<html>"'],
  ] as const)('%s answered %j is garbled, and shown', async (verb, text, shown) => {
    const cmc = await says(text);
    await expect(client().send(cmc, verb, { signal: never })).rejects.toMatchObject({
      code: 'cmc-garbled',
      message: `reboot05 (127.24.0.5:${port}): ${verb} was answered ${shown}, which no card says to that`,
    });
  });

  test.each([404, 500, 302])('HTTP %i is a failure of its own', async (code) => {
    const cmc = await says('on', code);
    await expect(client().send(cmc, 'status', { signal: never })).rejects.toMatchObject({
      code: `cmc-http-${code}`,
      message: expect.stringContaining('"on"'),
    });
  });

  test('something that is not HTTP is garbled', async () => {
    const cmc = await raw((socket) => socket.once('data', () => socket.end('220 smtp ready\r\n')));
    await expect(client().send(cmc, 'status', { signal: never })).rejects.toMatchObject({ code: 'cmc-garbled' });
  });

  test('an endless body is cut off, and its connection closed', async () => {
    let closed: (value: unknown) => void = () => {};
    const hungUp = new Promise((resolve) => (closed = resolve));
    const cmc = await card((_, response) => {
      response.on('close', () => closed(true));
      const more = (): void => void (response.destroyed || response.write('x'.repeat(10_000), () => setImmediate(more)));
      more();
    });
    await expect(client().send(cmc, 'info', { signal: never })).rejects.toMatchObject({
      code: 'cmc-garbled',
      message: `reboot05 (127.24.0.5:${port}): info was answered with more than 64 KiB, which no card says to that`,
    });
    await hungUp;
  });

  test.each([
    ['accepts and says nothing', (): void => {}],
    ['sends headers and no body', (socket: Socket): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')],
    [
      'drips its headers',
      (socket: Socket): void => {
        socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
        const timer = setInterval(() => socket.write('x'), 10);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ])('a card that %s runs into its own deadline, on time', async (_, onSocket) => {
    const cmc = await raw(onSocket);
    const started = performance.now();
    await expect(client({ requestTimeoutMs: 150 }).send(cmc, 'status', { signal: never })).rejects.toMatchObject({
      code: 'cmc-timeout',
      message: `reboot05 (127.24.0.5:${port}): status got no answer within 0.15 s`,
    });
    expect(performance.now() - started).toBeLessThan(600); // the HTTP client's own timers would take 1 s
  });

  test.each(['status', 'info', 'on', 'off', 'usrpstatus', 'usrpon', 'usrpoff'] as const)(
    '%s: a card in trouble that passes is asked again',
    async (verb) => {
      let requests = 0;
      const good = { status: 'on', info: 'x', on: 'ok', off: 'ok', usrpstatus: 'usrpon', usrpon: 'ok', usrpoff: 'ok' }[verb];
      const cmc = await card((request, response) => {
        requests += 1;
        if (requests === 1) response.writeHead(503).end('try later');
        else if (requests === 2) response.writeHead(504).end();
        else if (requests === 3) request.socket.resetAndDestroy();
        else response.end(good);
      });
      const told: string[] = [];
      expect(await client().send(cmc, verb, { signal: never, onAgain: (why) => told.push(why) })).toMatchObject({ text: good });
      expect(told).toEqual(['answered HTTP 503', 'answered HTTP 504', 'lost the connection']);
    },
  );

  test('a reset is asked for again where it surely was not done, and nowhere else', async () => {
    let requests = 0;
    const cmc = await card((_, response) => ((requests += 1) === 1 ? response.writeHead(503).end() : response.end('ok')));
    expect(await client().send(cmc, 'reset', { signal: never })).toMatchObject({ text: 'ok' });
    let lost = 0;
    const dubious = await card((_, response) => ((lost += 1), response.writeHead(504).end()), '127.24.0.6');
    await expect(client().send(dubious, 'reset', { signal: never })).rejects.toMatchObject({ code: 'cmc-http-504' });
    expect([requests, lost]).toEqual([2, 1]);
  });

  test('trouble that stays is told with how often it was seen, at the latest when time is up', async () => {
    const cmc = await says('overloaded', 503);
    await expect(client().send(cmc, 'status', { signal: never })).rejects.toMatchObject({
      code: 'cmc-http-503',
      message: `reboot05 (127.24.0.5:${port}): status was answered HTTP 503 "overloaded", 8 times`,
    });
    await expect(client({ busyPauseMs: 60_000 }).send(cmc, 'status', { signal: never, timeoutMs: 100 })).rejects.toMatchObject({
      code: 'cmc-http-503',
    });
  });

  test('what is under way when the client is closed is not tried again', async () => {
    const power = client({ busyPauseMs: 60_000 });
    const cmc = await card(() => void power.close());
    const told: string[] = [];
    await expect(power.send(cmc, 'status', { signal: never, onAgain: (why) => told.push(why) })).rejects.toMatchObject({
      code: 'cmc-closed',
    });
    expect(told).toEqual([]);
  });

  test('a refused connection says so', async () => {
    const cmc = await says('on');
    await expect(client().send({ ...cmc, ip: '127.24.0.99' }, 'status', { signal: never })).rejects.toMatchObject({
      code: 'cmc-refused',
      message: expect.stringContaining(`reboot05 (127.24.0.99:${port}): status was refused`),
    });
  });

  test('a card that drops the connection says so, and is not asked twice: a reset must not be doubled', async () => {
    let connections = 0;
    const cmc = await raw((socket) => socket.once('data', () => ((connections += 1), socket.destroy())));
    await expect(client().send(cmc, 'reset', { signal: never })).rejects.toMatchObject({ code: 'cmc-closed' });
    expect(connections).toBe(1);
  });

  test('a network that cannot be reached says so', async () => {
    await says('on');
    await expect(client().send({ hostname: 'reboot09', ip: '255.255.255.255' }, 'status', { signal: never })).rejects.toMatchObject({
      code: expect.stringMatching(/^cmc-(unreachable|closed)$/),
      message: expect.stringContaining('reboot09 (255.255.255.255:'),
    });
  });

  test("rejects with the signal's reason, before, while asking and while pausing", async () => {
    const reason = new Error('enough');
    const cmc = await raw(() => {});
    await expect(client().send(cmc, 'status', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const asking = new AbortController();
    const sent = client().send(cmc, 'status', { signal: asking.signal });
    asking.abort(reason);
    await expect(sent).rejects.toBe(reason);
  });

  test("rejects with the signal's reason while it pauses", async () => {
    const reason = new Error('enough');
    const cmc = await says('CM card busy');
    const pausing = new AbortController();
    const power = client({ busyPauseMs: 60_000 });
    await expect(power.send(cmc, 'off', { signal: pausing.signal, onAgain: () => pausing.abort(reason) })).rejects.toBe(reason);
  });

  test('one hanging card delays none of a hundred others', async () => {
    const hanging = await raw(() => {});
    for (let n = 1; n <= 100; n++) await card((_, response) => response.end('on'), `127.24.1.${n}`);
    const power = client();
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const stuck = power.send(hanging, 'status', { signal: stop.signal }).catch((error: unknown) => error);
    const cards = Array.from({ length: 100 }, (_, index) => ({ hostname: `reboot${index + 1}`, ip: `127.24.1.${index + 1}` }));
    const answers = await Promise.all(cards.map((cmc) => power.send(cmc, 'status', { signal: stop.signal })));
    expect(answers.every(({ state }) => state === 'on')).toBe(true);
    stop.abort(new Error('done'));
    await stuck;
  });

  test('a request that hung does not spoil the next one to the same card', async () => {
    let first = true;
    const cmc = await card((_, response) => {
      if (!first) response.end('on');
      first = false;
    });
    const power = client({ requestTimeoutMs: 100 });
    await expect(power.send(cmc, 'status', { signal: never })).rejects.toMatchObject({ code: 'cmc-timeout' });
    expect(await power.send(cmc, 'status', { signal: never })).toMatchObject({ state: 'on' });
  });

  test('leaves nothing open: no socket or timer after close', async () => {
    const cmc = await raw(() => {});
    const power = client();
    const stuck = power.send(cmc, 'status', { signal: never });
    const failed = expect(stuck).rejects.toMatchObject({ code: 'cmc-closed' });
    while (!process.getActiveResourcesInfo().includes('TCPSocketWrap')) await new Promise((resolve) => setImmediate(resolve));
    await power.close();
    await failed;
    await expect(power.send(cmc, 'status', { signal: never })).rejects.toMatchObject({ code: 'cmc-closed' });
  });

  test('closes without ever having been used', async () => {
    await createPowerClient({ port: 1, requestTimeoutMs: 1 }).close();
  });
});
