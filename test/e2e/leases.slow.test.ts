import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { sleep } from '../../src/util/abort.js';
import { scratch, type Finished } from '../helpers/cli.js';
import { certPath, lease, r2labServer, type R2labServer } from '../helpers/lease-servers.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const me = userInfo().username;
const HOUR = 3_600_000;
const ANSWER_COUNTS_MS = 1_100;
let testbed: ChildTestbed;
let server: R2labServer;
beforeAll(async () => {
  testbed = await testbedUp(4, '--on', '--boot', '0');
});
afterAll(() => testbed.close());
beforeEach(async () => {
  server = await r2labServer();
});
afterEach(() => server.close());

/** The environment of a run with this [leases] section on top of the testbed's configuration. */
function env(section: string): Record<string, string> {
  const file = join(scratch(), 'leases.conf');
  writeFileSync(file, `[leases]\n${section}\n`, { mode: 0o600 });
  return { IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${file}` };
}

const failures = ({ events }: Finished) =>
  events
    .filter((event): event is ImagingEvent & { type: 'target.failed' } => event.type === 'target.failed')
    .map(({ target, step, code }) => `${target} ${step} ${code}`)
    .sort();

test('a lease on some nodes: the others fail at step lock and are not touched; on none: refused', async () => {
  const file = `backend = local\nfile = ${join(scratch(), 'leases/leases.db')}`;
  const [user, admin] = [env(`${file}\nprivileged =`), env(`${file}\nprivileged = ${me}`)];
  expect((await testbed.run('imaging-leases', ['book', 'now', '+1h', '--slice', 'bob', '--nodes', '3'], admin)).code).toBe(0);
  expect((await testbed.run('imaging-leases', ['book', 'now', '+1h', '--nodes', '1-2'], user)).stdout).toMatch(
    new RegExp(`^booked: 1-2 for ${me}, from .* until .* \\(lease 2\\)\n$`),
  );

  const off = await testbed.run('imaging-off', ['1-4', '--progress', 'json'], user);
  expect(off.code).toBe(1);
  expect(failures(off)).toEqual(['fit03 lock no-lease', 'fit04 lock no-lease']);
  const status = await testbed.run('imaging-status', ['1-4'], user);
  expect(status).toMatchObject({ code: 0, stdout: 'reboot01:off\nreboot02:off\nreboot03:on\nreboot04:on\n' });
  expect(status.stderr).toContain(`warning: ${me} has no lease on 2 of these 4 nodes; ${me} has no lease on fit03 now: bob holds it until`);

  const none = await testbed.run('imaging-off', ['3-4'], user);
  expect(none).toMatchObject({ code: 3, stdout: '' });
  expect(none.stderr).toMatch(
    new RegExp(
      `^imaging: ${me} has a lease on none of these 2 nodes; ${me} has no lease on fit03 now: bob holds it until .*\n  .*imaging-leases list`,
    ),
  );
  expect(await testbed.run('imaging-off', ['3', '--force-lease'], user)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`${me} is none`),
  });
  expect(await testbed.run('imaging-on', ['1-4'], admin)).toMatchObject({
    code: 0,
    stdout: 'reboot01:ok\nreboot02:ok\nreboot03:already on\nreboot04:already on\n',
    stderr: '',
  });
});

test('Ctrl-C ends a request under way', async () => {
  server.mood = 'silent';
  const listing = testbed.start('imaging-leases', ['list'], env(`backend = r2labapi\nurl = ${server.url}\ntimeout = 600`));
  await server.next();
  listing.child.kill('SIGINT');
  expect((await listing.finished).code).toBe(130);
});

test('a certificate is checked against the authorities that are known', async () => {
  const tls = await r2labServer([lease(me, Date.now() - HOUR, Date.now() + HOUR)], { tls: true });
  try {
    const secure = env(`backend = r2labapi\nurl = ${tls.url}\nprivileged =`);
    expect(await testbed.run('imaging-leases', ['check'], secure)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('verify_tls'),
    });
    expect(await testbed.run('imaging-leases', ['check'], { ...secure, NODE_EXTRA_CA_CERTS: certPath })).toMatchObject({ code: 0 });
  } finally {
    await tls.close();
  }
});

test('a lease that ends in the middle of a load stops its next step that writes, and nobody else’s', async () => {
  const backend = `backend = r2labapi\nurl = ${server.url}\nprivileged =`;
  server.leases.push(lease(me, Date.now() - HOUR, Date.now() + HOUR));
  const load = testbed.start('imaging-load', ['1', '--passes', '1', '--progress', 'json'], env(backend));
  const other = testbed.start('imaging-load', ['2', '--progress', 'json']);
  await load.event((event) => event.type === 'target.step' && event.step === 'pxe');
  load.child.kill('SIGSTOP');
  server.leases.splice(0, 1, lease('bob', Date.now() - HOUR, Date.now() + HOUR));
  expect((await other.finished).code).toBe(0);
  await sleep(ANSWER_COUNTS_MS); // so long an answer may be used again
  load.child.kill('SIGCONT');
  const ended = await load.finished;
  expect(ended.code).toBe(1);
  expect(failures(ended)).toEqual([expect.stringMatching(/^fit01 (reset|write) no-lease$/)]);
  expect(ended.events.some((event) => event.type === 'target.step' && event.step === 'verify')).toBe(false);
  expect(testbed.links()).toEqual([]);
});
