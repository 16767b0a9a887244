import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { scratch } from '../helpers/cli.js';
import { lease, r2labServer, type R2labServer } from '../helpers/lease-servers.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const me = userInfo().username;
const HOUR = 3_600_000;
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

test('a silent server is a refusal, but not to who only looks, nor to the privileged', async () => {
  server.mood = 'silent';
  const silent = `backend = r2labapi\nurl = ${server.url}\ntimeout = 0.3`;
  const [user, admin] = [env(`${silent}\nprivileged =`), env(`${silent}\nprivileged = ${me}`)];
  expect(await testbed.run('imaging-usrpon', ['1'], user)).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringContaining(`cannot tell whether ${me} has a lease: GET ${server.url}/leases`),
  });
  expect(await testbed.run('imaging-status', ['1'], user)).toMatchObject({
    code: 0,
    stdout: 'reboot01:on\n',
    stderr: expect.stringContaining('cannot tell whether'),
  });
  server.seen.splice(0);
  const forced = await testbed.run('imaging-usrpon', ['1', '--force-lease'], admin);
  expect(forced).toMatchObject({ code: 0, stderr: expect.stringContaining(`warning: no lease is asked for: --force-lease by ${me}`) });
  expect((await testbed.run('imaging-status', ['1'], admin)).stderr).toBe('');
  expect(server.seen).toEqual([]);
});

test('an R2lab API: whose lease it is decides, and one request is enough for all nodes', async () => {
  const user = env(`backend = r2labapi\nurl = ${server.url}\nprivileged =`);
  server.leases.push(lease(me, Date.now() - HOUR, Date.now() + HOUR));
  expect(await testbed.run('imaging-usrpon', ['1-4'], user)).toMatchObject({ code: 0, stderr: '' });
  expect(server.seen).toHaveLength(1);
  server.leases.splice(0, 1, lease('bob', Date.now() - HOUR, Date.now() + HOUR));
  expect(await testbed.run('imaging-usrpoff', ['1-4'], user)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('bob holds it until'),
  });
  expect((await testbed.run('imaging-usrpstatus', ['1'])).stdout).toBe('reboot01:usrpon\n');
});
