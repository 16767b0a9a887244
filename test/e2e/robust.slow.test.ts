import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bin, scratch } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(4, '--on', '--boot', '0.4', '--fault', 'fit04:cmc-silent');
});
afterAll(() => testbed.close());

const bash = (script: string) =>
  spawnSync('bash', ['-c', script], { env: { ...process.env, ...testbed.env }, cwd: scratch(), encoding: 'utf8', timeout: 60_000 });

test('a reader that goes away does not end a load half-way', () => {
  const result = bash('set -o pipefail; imaging-load -i demo 1 --progress json | head -3');
  expect(result.status).toBe(0);
  expect(result.stdout.split('\n')).toHaveLength(4);
  expect(testbed.links()).toEqual([]);
  expect(bash('imaging-wait 1 -s').status).toBe(0);
});

const noPty = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0 ? '' : ' (skipped: no program script, of util-linux)';
test.skipIf(noPty !== '')(`a terminal that is closed ends a load, and nothing is left${noPty}`, async () => {
  const child = spawn('script', ['-qec', 'imaging-load -i demo 1,3 --progress plain', '/dev/null'], {
    env: { ...process.env, ...testbed.env },
    cwd: scratch(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await new Promise<void>((resolve) => child.stdout.on('data', (text: Buffer) => void (text.includes('boot') && resolve())));
  expect(testbed.links().length).toBeGreaterThan(0);
  child.kill('SIGKILL'); // the pty goes with it
  await once(child, 'close');
  await expect.poll(() => testbed.links(), { timeout: 10_000, interval: 50 }).toEqual([]);
});

test('on does not end the system of a node that is on, so wait is content with it', async () => {
  expect((await testbed.run('imaging-wait', ['2', '-s', '-t', '20'])).code).toBe(0);
  expect((await testbed.run('imaging-on', ['2'])).stdout).toBe('reboot02:already on\n');
  expect((await testbed.run('imaging-wait', ['2', '-s', '-t', '3'])).code).toBe(0);
});

test('a silent card does not hold back what the others say', async () => {
  const status = testbed.start('imaging-status', ['1-4', '-t', '5']);
  const startedMs = performance.now();
  await new Promise<void>((resolve) => status.child.stdout.on('data', (text: string) => void (text.includes('reboot03') && resolve())));
  const toldMs = performance.now() - startedMs;
  const { code, stdout } = await status.finished;
  expect(toldMs).toBeLessThan(performance.now() - startedMs - 1_000);
  expect(code).toBe(1);
  expect(stdout.trim().split('\n').sort()).toEqual(['reboot01:on', 'reboot02:on', 'reboot03:on', 'reboot04:status N/A']);
});

test('a timeout of a week is a long one, of months a mistake', async () => {
  expect((await testbed.run('imaging-status', ['1', '-t', '604800'])).stdout).toBe('reboot01:on\n');
  expect(await testbed.run('imaging-status', ['1', '-t', '9999999'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--timeout.*604800/),
  });
});

test('a server program that dies fails its nodes, with a cause, and is no defect', async () => {
  const extra = join(scratch(), 'engine.conf');
  writeFileSync(extra, `[frisbee]\nengine = frisbeed\nserver = ${bin}/imaging-frisbeed\n`);
  const load = testbed.start('imaging-load', ['1-2', '--progress', 'json'], {
    IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}`,
    IMAGING_FRISBEE_LOOPBACK: '1',
  });
  await load.event((event) => event.type === 'target.step' && event.step === 'boot');
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      if (line.includes('imaging-frisbeed') && line.includes(testbed.dir)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it ended meanwhile
    }
  }
  const { code, events } = await load.finished;
  expect(code).toBe(1);
  const failures = events.flatMap((event) => (event.type === 'target.failed' ? [event.code] : []));
  expect(failures).toEqual(['server-ended', 'server-ended']);
  expect(testbed.links()).toEqual([]);
});

test('a link that a killed load left does not send a reset node into the PXE system', async () => {
  const load = testbed.start('imaging-load', ['3', '--progress', 'json']);
  await load.event((event) => event.type === 'target.step' && event.step === 'reset');
  load.child.kill('SIGKILL');
  await load.finished;
  expect((await testbed.run('imaging-reset', ['3'])).code).toBe(0);
  expect(testbed.links()).toEqual([]);
});

test('a TFTP folder that is not there is exit 4 before anything is touched', async () => {
  const extra = join(scratch(), 'pxe.conf');
  writeFileSync(extra, '[pxelinux]\nconfig_dir = /nonexistent/pxelinux.cfg\n');
  const { code, stderr } = await testbed.run('imaging-load', ['1'], { IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}` });
  expect(code).toBe(4);
  expect(stderr).toContain('/nonexistent/pxelinux.cfg');
});

test('warnings reach a person who sees no plain lines', async () => {
  const extra = join(scratch(), 'odd.conf');
  writeFileSync(extra, '[networking]\nbandwith = 3\n');
  const { code, stderr } = await testbed.run('imaging-status', ['1'], { IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}` });
  expect(code).toBe(0);
  expect(stderr).toMatch(/warning: .*bandwith.*bandwidth/);
});

test('what follows -- are nodes too', async () => {
  expect((await testbed.run('imaging-nodes', ['1', '--', '3'])).stdout).toBe('fit01 fit03\n');
  const plan = await testbed.run('imaging-load', ['--dry-run', '-a', '--', '~4']);
  expect(plan.stdout).toMatch(/nodes +1-3 \(3\)/);
  expect((await testbed.run('imaging-status', ['--', '-1'])).code).toBe(2);
});

test('a PXE system that is not there is exit 4, and no node is reset in vain', async () => {
  const extra = join(scratch(), 'pxe.conf');
  writeFileSync(extra, '[pxelinux]\nfrisbee_image = nosuch\n');
  const { code, stderr, events } = await testbed.run('imaging-load', ['1', '--progress', 'json'], {
    IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}`,
  });
  expect(code).toBe(4);
  expect(stderr).toContain('nosuch');
  expect(events).toEqual([]);
});

test('a folder that cannot be made is said, not waited for', async () => {
  const extra = join(scratch(), 'runs.conf');
  writeFileSync(extra, '[runs]\ndir = /proc/nowhere\n');
  const { code, events } = await testbed.run('imaging-load', ['3', '--progress', 'json'], {
    IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}`,
  });
  expect(code).toBe(0); // records are not worth a load
  expect(events.some((event) => event.type === 'run.warning' && /\/proc\/nowhere/.test(event.text))).toBe(true);
});
