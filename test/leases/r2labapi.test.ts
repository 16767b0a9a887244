import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createR2labLeases, parseR2labLease } from '../../src/leases/r2labapi.js';
import type { LeaseBackend, LeaseSettings } from '../../src/leases/backend.js';
import { Failure, UserError } from '../../src/util/errors.js';
import { ACCOUNT, lease, r2labServer, type R2labServer } from '../helpers/lease-servers.js';
import { rejected } from '../helpers/thrown.js';
import { AT, fakeHost, HOUR, never, settings } from './settings.js';

let server: R2labServer;
const open: LeaseBackend[] = [];
beforeEach(async () => {
  server = await r2labServer([lease('bob', AT, AT + HOUR)]);
});
afterEach(async () => {
  for (const backend of open.splice(0)) await backend.close();
  await server.close();
});

function backend(more: Partial<LeaseSettings> = {}, env: Record<string, string> = {}): LeaseBackend {
  const made = createR2labLeases(settings({ backend: 'r2labapi', url: `${server.url}/`, ...more }), fakeHost(AT, env));
  open.push(made);
  return made;
}

const booking = (fromMs: number, untilMs: number, owner = 'alice') => ({ owner, fromMs, untilMs, nodes: null });

describe('list', () => {
  test('reads every field, without a login, asking for whole days', async () => {
    server.leases.push(lease('alice', '2026-11-26T16:00:00', '2026-11-26T18:00:00+01:00'));
    const { leases, unreadable } = await backend().list(AT, never);
    expect(leases).toEqual([
      { id: String(server.leases[0]?.id), owner: 'bob', fromMs: AT, untilMs: AT + HOUR, nodes: null },
      { id: String(server.leases[1]?.id), owner: 'alice', fromMs: AT + 2 * HOUR, untilMs: AT + 3 * HOUR, nodes: null },
    ]);
    expect(unreadable).toBe(0);
    expect(server.seen).toEqual(['GET /leases?after=2026-11-19T00%3A00%3A00Z']);
    expect(server.logins).toBe(0);
  });

  test('leaves out what has ended, and counts what makes no sense', async () => {
    server.leases.push(lease('alice', AT - 2 * HOUR, AT), lease(null, AT, AT + HOUR), lease('alice', 'soon', AT + HOUR));
    const found = await backend().list(AT, never);
    expect(found.leases.map(({ owner }) => owner)).toEqual(['bob']);
    expect(found.unreadable).toBe(2);
  });

  test.each([
    [null],
    [5],
    ['x'],
    [[]],
    [{}],
    [{ ...lease('a', AT, AT), id: null }],
    [{ ...lease('', AT, AT) }],
    [{ ...lease('a', AT, AT), t_from: 5 }],
  ])('%j is no lease', (entry) => {
    expect(parseR2labLease(entry)).toBeNull();
  });
});

describe('a server that does not answer as it should', () => {
  test.each([
    ['garbage', 'lease-api-garbled', 'Welcome to nginx'],
    ['huge', 'lease-api-garbled', 'more than 4 MiB'],
    ['error', 'lease-api-http-500', 'HTTP 500: "database is down"'],
    ['drops', 'lease-api-closed', 'lost its connection'],
  ] as const)('%s: %s', async (mood, code, text) => {
    server.mood = mood;
    const error = await rejected(Failure, backend().list(AT, never));
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) });
    expect(error.message).toContain(`GET ${server.url}/leases`);
  });

  test('silent: its own deadline', async () => {
    server.mood = 'silent';
    expect(await rejected(Failure, backend({ timeoutMs: 100 }).list(AT, never))).toMatchObject({
      code: 'lease-api-silent',
      message: expect.stringContaining('no answer within 0.1 s'),
    });
  });

  test('gone: refused', async () => {
    const url = server.url;
    await server.close();
    expect(await rejected(Failure, backend({ url }).list(AT, never))).toMatchObject({
      code: 'lease-api-refused',
      hint: expect.stringContaining('leases.url'),
    });
    server = await r2labServer();
  });

  test('something else than leases is garbled', async () => {
    expect(await rejected(Failure, backend({ url: `${server.url}/resources/by-name/r2lab.inria.fr?` }).list(AT, never))).toMatchObject({
      code: expect.stringMatching(/garbled|http/),
    });
  });

  test('the signal ends it', async () => {
    server.mood = 'silent';
    const stop = new AbortController();
    const reason = new Error('enough');
    const listed = backend().list(AT, stop.signal);
    await server.next();
    stop.abort(reason);
    await expect(listed).rejects.toBe(reason);
  });
});

describe('TLS', () => {
  test('a certificate that nobody vouches for is refused, and the setting is named; with it, it works', async () => {
    const tls = await r2labServer([lease('bob', AT, AT + HOUR)], { tls: true });
    try {
      expect(await rejected(Failure, backend({ url: tls.url }).list(AT, never))).toMatchObject({
        code: 'lease-api-tls',
        hint: expect.stringContaining('verify_tls'),
      });
      expect(tls.seen).toEqual([]);
      expect((await backend({ url: tls.url, verifyTls: false }).list(AT, never)).leases).toHaveLength(1);
      expect(await rejected(Failure, backend({ url: server.url.replace('http', 'https') }).list(AT, never))).toMatchObject({
        code: 'lease-api-tls',
        message: expect.stringContaining('no TLS there'),
      });
    } finally {
      await tls.close();
    }
  });
});

describe('book', () => {
  test('creates with POST, with the login of the environment', async () => {
    const made = await backend({}, { R2LABAPI_EMAIL: ACCOUNT.email, R2LABAPI_PASSWORD: ACCOUNT.password }).book(
      booking(AT + HOUR, AT + 2 * HOUR),
      never,
    );
    expect(server.leases[1]).toMatchObject({
      id: Number(made.id),
      slice_name: 'alice',
      t_from: '2026-11-26T15:00:00Z',
      t_until: '2026-11-26T16:00:00Z',
    });
    expect(made).toEqual({ id: made.id, owner: 'alice', fromMs: AT + HOUR, untilMs: AT + 2 * HOUR, nodes: null });
    expect(server.seen).toEqual(['POST /auth/login', 'GET /resources/by-name/r2lab.inria.fr', 'POST /leases']);
  });

  test('the environment beats the configuration', async () => {
    await backend({ email: 'no@example.org', password: 'no' }, { R2LABAPI_EMAIL: ACCOUNT.email, R2LABAPI_PASSWORD: ACCOUNT.password }).book(
      booking(AT + HOUR, AT + 2 * HOUR),
      never,
    );
    expect(server.leases).toHaveLength(2);
  });

  test('with a token, there is no login', async () => {
    server.tokens.add('t0k');
    await backend({ token: 't0k' }).book(booking(AT + HOUR, AT + 2 * HOUR), never);
    expect(server.logins).toBe(0);
    expect(server.leases).toHaveLength(2);
  });

  test('an expired token and a login: logs in once more', async () => {
    const made = await backend({ token: 'expired', ...ACCOUNT }).book(booking(AT + HOUR, AT + 2 * HOUR), never);
    expect(made.owner).toBe('alice');
    expect(server.logins).toBe(1);
  });

  test('a token that expires between two bookings: logs in once more', async () => {
    const api = backend(ACCOUNT);
    await api.book(booking(AT + HOUR, AT + 2 * HOUR), never);
    server.tokens.clear();
    await api.book(booking(AT + 2 * HOUR, AT + 3 * HOUR), never);
    expect(server.logins).toBe(2);
    expect(server.leases).toHaveLength(3);
  });

  test('a server that never accepts what it gave is asked no third time', async () => {
    server.tokens.add = () => server.tokens;
    const error = await rejected(UserError, backend({ token: 'expired', ...ACCOUNT }).book(booking(AT + HOUR, AT + 2 * HOUR), never));
    expect(error).toMatchObject({ kind: 'refused', message: expect.stringContaining('may have expired') });
    expect(server.seen.filter((line) => line === 'POST /leases')).toHaveLength(2);
  });

  test('an expired token without a login is refused, and says how to log in', async () => {
    const error = await rejected(UserError, backend({ token: 'expired' }).book(booking(AT + HOUR, AT + 2 * HOUR), never));
    expect(error).toMatchObject({ kind: 'refused', hint: expect.stringContaining('R2LABAPI_PASSWORD') });
    expect(error.message).not.toContain('expired-token');
  });

  test('without any way in, nothing is sent', async () => {
    expect(await rejected(UserError, backend().book(booking(AT + HOUR, AT + 2 * HOUR), never))).toMatchObject({
      kind: 'environment',
      hint: expect.stringContaining('R2LABAPI_EMAIL'),
    });
    expect(server.seen).toEqual([]);
  });

  test('a wrong password is refused, and not shown', async () => {
    const error = await rejected(UserError, backend({ ...ACCOUNT, password: 'wr0ng' }).book(booking(AT + HOUR, AT + 2 * HOUR), never));
    expect(error).toMatchObject({ kind: 'refused', message: expect.stringContaining('Invalid credentials') });
    expect(`${error.message} ${error.hint}`).not.toContain('wr0ng');
  });

  test('409: not free, and who has it', async () => {
    const error = await rejected(UserError, backend(ACCOUNT).book(booking(AT, AT + 2 * HOUR), never));
    expect(error).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/not free at that time: bob has it from .* until .* \(lease \d+\)/),
    });
    expect(server.leases).toHaveLength(1);
  });

  test('403: the server’s own words', async () => {
    expect(await rejected(UserError, backend(ACCOUNT).book(booking(AT + HOUR, AT + 2 * HOUR, 'notmine'), never))).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('Not a member of this slice'),
    });
  });

  test('times off the granularity are refused before anything is booked', async () => {
    const error = await rejected(UserError, backend(ACCOUNT).book(booking(AT + HOUR + 60_000, AT + 2 * HOUR), never));
    expect(error).toMatchObject({ kind: 'usage', message: expect.stringContaining('multiples of 10 minutes') });
    expect(server.seen).not.toContain('POST /leases');
  });

  test('a resource that is not there', async () => {
    expect(
      await rejected(UserError, backend({ ...ACCOUNT, resourceName: 'my lab' }).book(booking(AT + HOUR, AT + 2 * HOUR), never)),
    ).toMatchObject({ kind: 'environment', hint: expect.stringContaining('resource_name') });
    expect(server.seen).toContain('GET /resources/by-name/my%20lab');
  });

  test('silence in the middle says that it may be booked', async () => {
    server.mood = 'silent';
    server.moodOn = /^POST \/leases/;
    const booked = rejected(Failure, backend({ ...ACCOUNT, timeoutMs: 800 }).book(booking(AT + HOUR, AT + 2 * HOUR), never));
    expect(await booked).toMatchObject({ code: 'lease-api-silent', message: expect.stringContaining('may be booked all the same') });
  });
});

describe('cancel', () => {
  test('deletes', async () => {
    await backend(ACCOUNT).cancel(String(server.leases[0]?.id), 'alice', never);
    expect(server.leases).toEqual([]);
  });

  test('a lease that is not there', async () => {
    expect(await rejected(UserError, backend(ACCOUNT).cancel('999999', null, never))).toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('no lease "999999"'),
    });
  });

  test('an id cannot lead to another path', async () => {
    await rejected(UserError, backend(ACCOUNT).cancel('../auth', null, never));
    expect(server.seen.at(-1)).toBe('DELETE /leases/..%2Fauth');
  });
});
