import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LeaseBackend } from '../../src/leases/backend.js';
import { createPermit, type LeasePermit } from '../../src/leases/lease-check.js';
import { createR2labLeases } from '../../src/leases/r2labapi.js';
import { createLocalLeases } from '../../src/leases/local.js';
import { Failure } from '../../src/util/errors.js';
import { scratch } from '../helpers/cli.js';
import { lease, r2labServer, type R2labServer } from '../helpers/lease-servers.js';
import { rejected } from '../helpers/thrown.js';
import { AT, fakeHost, HOUR, never, settings } from './settings.js';

let server: R2labServer;
let host: ReturnType<typeof fakeHost>;
const cleanup: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  host = fakeHost();
  server = await r2labServer([lease('alice', AT - HOUR, AT + HOUR), lease('bob', AT + HOUR, AT + 2 * HOUR)]);
  cleanup.push(() => server.close());
});
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

const silences: string[] = [];
/** Waits long for a server that will answer, and briefly for one that will not: a busy machine must not make it look silent. */
function permitOf(owner: string): LeasePermit {
  silences.length = 0;
  const [patient, hasty] = [10_000, 100].map((timeoutMs) =>
    createR2labLeases(settings({ backend: 'r2labapi', url: server.url, timeoutMs }), host),
  );
  if (!patient || !hasty) throw new Error('two were made');
  cleanup.push(() => hasty.close());
  return permitOn({ ...patient, list: (sinceMs, signal) => (server.mood === 'silent' ? hasty : patient).list(sinceMs, signal) }, owner);
}

function permitOn(backend: LeaseBackend, owner: string): LeasePermit {
  const permit = createPermit({ backend, owner, host, onSilence: (text) => silences.push(text) });
  cleanup.push(
    () => backend.close(),
    () => permit.close(),
  );
  return permit;
}

const checks = (permit: LeasePermit, ...nodes: string[]): Promise<(string | null)[]> =>
  Promise.all(
    nodes.map((node) =>
      permit.check(node, never).then(
        () => null,
        (error: unknown) => (error instanceof Failure ? error.code : String(error)),
      ),
    ),
  );

describe('a permit', () => {
  test('is given to the owner of the lease that runs, and to nobody else', async () => {
    const [alice, bob] = [permitOf('alice'), permitOf('bob')];
    expect((await alice.initial(['fit01', 'fit02'], never)).size).toBe(0);
    await alice.check('fit01', never);
    expect([...(await bob.initial(['fit01', 'fit02'], never)).keys()]).toEqual(['fit01', 'fit02']);
    expect(await rejected(Failure, bob.check('fit01', never))).toMatchObject({
      code: 'no-lease',
      message: expect.stringMatching(/^bob has no lease on fit01 now: alice holds it until .*, the next one begins at /),
      hint: expect.stringContaining('imaging-leases list'),
    });
  });

  test('a lease that ends in the middle stops its owner at the next check, and nobody else', async () => {
    const [alice, bob] = [permitOf('alice'), permitOf('bob')];
    await alice.check('fit01', never);
    await expect(bob.check('fit02', never)).rejects.toMatchObject({ code: 'no-lease' });
    host.advance(HOUR);
    expect(await rejected(Failure, alice.check('fit01', never))).toMatchObject({
      code: 'no-lease',
      message: expect.stringMatching(/^alice has no lease on fit01 now: the last one ended at .*, bob holds it until /),
    });
    await bob.check('fit02', never);
  });

  test('holds from its first moment up to its last, not at it', async () => {
    const permit = permitOf('bob');
    host.nowMs = AT + HOUR - 1;
    expect(await checks(permit, 'fit01')).toEqual(['no-lease']);
    host.advance(1);
    expect(await checks(permit, 'fit01')).toEqual([null]);
    host.nowMs = AT + 2 * HOUR - 1;
    expect(await checks(permit, 'fit01')).toEqual([null]);
    host.advance(1);
    expect(await checks(permit, 'fit01')).toEqual(['no-lease']);
  });

  test('two leases one after the other are as good as one', async () => {
    server.leases[1] = lease('alice', AT + HOUR, AT + 2 * HOUR);
    const permit = permitOf('alice');
    host.nowMs = AT + HOUR - 100;
    await permit.check('fit01', never);
    host.advance(200); // the first has ended, within the time an answer counts
    await permit.check('fit01', never);
    expect(server.seen).toHaveLength(1);
  });

  test('a lease that was taken back no longer counts', async () => {
    const permit = permitOf('alice');
    await permit.check('fit01', never);
    server.leases.shift();
    host.advance(1_001);
    expect(await checks(permit, 'fit01')).toEqual(['no-lease']);
  });

  test('a lease booked a moment ago counts at once: a refusal is never an old answer', async () => {
    server.leases.splice(0);
    const permit = permitOf('alice');
    expect(await checks(permit, 'fit01')).toEqual(['no-lease']);
    server.leases.push(lease('alice', AT, AT + HOUR));
    expect(await checks(permit, 'fit01')).toEqual([null]);
  });
});

describe('requests', () => {
  test('one is enough for all nodes that ask at the same time, and for a second', async () => {
    const permit = permitOf('alice');
    const nodes = Array.from({ length: 100 }, (_, index) => `fit${index}`);
    expect(await checks(permit, ...nodes)).toEqual(nodes.map(() => null));
    host.advance(999);
    await permit.check('fit01', never);
    expect(server.seen).toHaveLength(1);
    host.advance(1);
    await permit.check('fit01', never);
    expect(server.seen).toHaveLength(2);
  });

  test('a hundred refusals cost no more', async () => {
    const nodes = Array.from({ length: 100 }, (_, index) => `fit${index}`);
    expect(await checks(permitOf('carol'), ...nodes)).toEqual(nodes.map(() => 'no-lease'));
    expect(server.seen).toHaveLength(1);
  });

  test('a node that gives up waiting takes nobody with it', async () => {
    const permit = permitOf('alice');
    const stop = new AbortController();
    const reason = new Error('this node is out of time');
    const first = permit.check('fit01', stop.signal);
    const second = permit.check('fit02', never);
    stop.abort(reason);
    await expect(first).rejects.toBe(reason);
    await second;
    await expect(permit.check('fit03', stop.signal)).rejects.toBe(reason);
  });

  test('closing ends one that is under way', async () => {
    const permit = permitOn(createR2labLeases(settings({ backend: 'r2labapi', url: server.url, timeoutMs: 60_000 }), host), 'alice');
    server.mood = 'silent';
    const checked = rejected(Failure, permit.check('fit01', never));
    await server.next();
    permit.close();
    expect(await checked).toMatchObject({ code: 'lease-unknown', message: expect.stringContaining('the run is over') });
  });
});

describe('a server that falls silent', () => {
  test('at the beginning: nothing is known', async () => {
    server.mood = 'silent';
    const permit = permitOf('alice');
    expect(await rejected(Failure, permit.initial(['fit01'], never))).toMatchObject({
      code: 'lease-unknown',
      message: expect.stringContaining('cannot tell whether alice has a lease: GET'),
    });
    expect(await checks(permit, 'fit01', 'fit02')).toEqual(['lease-unknown', 'lease-unknown']);
    expect(server.seen).toHaveLength(1); // a silence counts for a second, too
  });

  test.each(['silent', 'error', 'garbage', 'drops'] as const)(
    'in the middle (%s): the lease it told of counts while it runs, with one warning, and no longer',
    async (mood) => {
      const permit = permitOf('alice');
      await permit.initial(['fit01'], never);
      server.mood = mood;
      host.advance(1_000);
      expect(await checks(permit, 'fit01', 'fit02')).toEqual([null, null]);
      host.advance(1_000);
      expect(await checks(permit, 'fit01')).toEqual([null]);
      expect(silences).toEqual([expect.stringContaining('going on with the lease it told of before')]);
      host.advance(HOUR);
      expect(await checks(permit, 'fit01')).toEqual(['lease-unknown']);
      server.mood = 'well';
      server.leases.push(lease('alice', host.nowMs, host.nowMs + HOUR));
      host.advance(1_000);
      expect(await checks(permit, 'fit01')).toEqual([null]);
      server.mood = mood; // a new silence is told again
      host.advance(1_000);
      await permit.check('fit01', never);
      expect(silences).toHaveLength(2);
    },
  );

  test('never gives what was not told of', async () => {
    const permit = permitOf('carol');
    expect(await checks(permit, 'fit01')).toEqual(['no-lease']);
    server.mood = 'silent';
    host.advance(1_000);
    expect(await checks(permit, 'fit01')).toEqual(['lease-unknown']);
  });
});

describe('leases on some nodes', () => {
  test('are looked at node by node', async () => {
    const leases = createLocalLeases({ file: `${scratch()}/leases.db`, timeoutMs: 5_000 }, host);
    await leases.book({ owner: 'alice', fromMs: AT, untilMs: AT + HOUR, nodes: ['fit01', 'fit03'] }, never);
    await leases.book({ owner: 'bob', fromMs: AT, untilMs: AT + 2 * HOUR, nodes: ['fit02'] }, never);
    const permit = permitOn(leases, 'alice');
    const refused = await permit.initial(['fit01', 'fit02', 'fit03', 'fit04'], never);
    expect([...refused.keys()]).toEqual(['fit02', 'fit04']);
    expect(refused.get('fit02')?.message).toMatch(/^alice has no lease on fit02 now: bob holds it until /);
    expect(refused.get('fit04')?.message).toBe('alice has no lease on fit04 now');
    const bob = permitOn(leases, 'bob');
    host.advance(HOUR);
    expect(await checks(permit, 'fit01', 'fit03')).toEqual(['no-lease', 'no-lease']);
    expect(await checks(bob, 'fit02', 'fit01')).toEqual([null, 'no-lease']);
  });
});
