import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LeaseBackend } from '../../src/leases/backend.js';
import { createOmfLeases, parseOmfLeases } from '../../src/leases/omf.js';
import { Failure, UserError } from '../../src/util/errors.js';
import { omfServer, type LeaseServer } from '../helpers/lease-servers.js';
import { rejected } from '../helpers/thrown.js';
import { AT, HOUR, never, settings } from './settings.js';

const reservation = (owner: string, from: string, until: string, ...components: string[]) => ({
  urn: `urn:publicid:IDN+omf:faraday+lease+${owner}`,
  uuid: `uuid-${owner}`,
  resource_type: 'lease',
  account: { name: owner, resource_type: 'account' },
  components: components.map((name) => ({ name, resource_type: 'node' })),
  valid_from: from,
  valid_until: until,
});

let server: LeaseServer;
let backend: LeaseBackend;
let resources: unknown[];
beforeEach(async () => {
  resources = [
    reservation('bob', '2026-11-26T15:00:00Z', '2026-11-26T16:00:00Z', 'r2lab.inria.fr'),
    reservation('alice', '2026-11-26T14:00:00Z', '2026-11-26T15:00:00Z', 'fit01', 'fit02'),
  ];
  server = await omfServer(() => resources);
  backend = createOmfLeases(settings({ backend: 'omf', url: `${server.url}/` }));
});
afterEach(async () => {
  await backend.close();
  await server.close();
});

describe('omf', () => {
  test('reads owner, nodes and times, by time; a component called as the testbed is all of it', async () => {
    expect(await backend.list(AT, never)).toEqual({
      leases: [
        { id: 'uuid-alice', owner: 'alice', fromMs: AT, untilMs: AT + HOUR, nodes: ['fit01', 'fit02'] },
        { id: 'uuid-bob', owner: 'bob', fromMs: AT + HOUR, untilMs: AT + 2 * HOUR, nodes: null },
      ],
      unreadable: 0,
    });
    expect(server.seen).toEqual(['GET /resources/leases']);
  });

  test('leaves out what has ended', async () => {
    expect((await backend.list(AT + HOUR, never)).leases.map(({ owner }) => owner)).toEqual(['bob']);
  });

  test('counts what makes no sense, and keeps the rest', async () => {
    const whole = reservation('carol', '2026-11-26T15:00:00Z', '2026-11-26T16:00:00Z', 'fit03');
    resources = [
      null,
      {},
      { ...whole, account: null },
      { ...whole, components: [{}] },
      { ...whole, components: 'fit03' },
      { ...whole, valid_until: 'later' },
      whole,
    ];
    const { leases, unreadable } = await backend.list(AT, never);
    expect([leases.map(({ owner }) => owner), unreadable]).toEqual([['carol'], 6]);
  });

  test('a lease without an identity of its own gets one from owner and time', () => {
    const { uuid: _, urn: __, ...bare } = reservation('alice', '2026-11-26T14:00:00Z', '2026-11-26T15:00:00Z', 'fit01');
    expect(parseOmfLeases({ resource_response: { resources: [bare] } }, 'x')?.leases[0]?.id).toBe(`alice@${AT / 1000}`);
  });

  test.each([[null], [{}], [{ resource_response: {} }], [{ resource_response: { resources: {} } }], [[]]])('%j is no answer', (body) => {
    expect(parseOmfLeases(body, 'x')).toBeNull();
  });

  test.each([
    ['garbage', 'lease-api-garbled'],
    ['error', 'lease-api-http-500'],
    ['drops', 'lease-api-closed'],
    ['huge', 'lease-api-garbled'],
  ] as const)('%s is %s', async (mood, code) => {
    server.mood = mood;
    expect((await rejected(Failure, backend.list(AT, never))).code).toBe(code);
  });

  test('an answer of another kind is garbled', async () => {
    resources = {} as unknown[]; // as: what a server should never do
    expect(await rejected(Failure, backend.list(AT, never))).toMatchObject({
      code: 'lease-api-garbled',
      message: expect.stringContaining('resource_list'),
    });
  });

  test('without a url, the server of the permissions section is asked, over TLS', async () => {
    const tls = await omfServer(() => resources, { tls: true });
    const { hostname, port } = new URL(tls.url);
    const asked = { backend: 'omf', leasesServer: hostname, leasesPort: Number(port) } as const;
    const [strict, lenient] = [createOmfLeases(settings(asked)), createOmfLeases(settings({ ...asked, verifyTls: false }))];
    try {
      expect(await rejected(Failure, strict.list(AT, never))).toMatchObject({
        code: 'lease-api-tls',
        hint: expect.stringContaining('verify_tls'),
      });
      expect((await lenient.list(AT, never)).leases).toHaveLength(2);
    } finally {
      await Promise.all([strict.close(), lenient.close(), tls.close()]);
    }
  });

  test('is only read', async () => {
    expect(await rejected(UserError, backend.book({ owner: 'alice', fromMs: AT, untilMs: AT + HOUR, nodes: null }, never))).toMatchObject({
      kind: 'usage',
    });
    expect(await rejected(UserError, backend.cancel('1', null, never))).toMatchObject({ kind: 'usage' });
    expect(server.seen).toEqual([]);
  });
});
