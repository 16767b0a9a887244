import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { run } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';
import { gptDisk } from '../helpers/disks-of-other-sizes.js';
import { fixture } from '../helpers/images.js';

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const finishedOf = (events: ImagingEvent[]) => events.find((event) => event.type === 'run.finished');

describe('a testbed of four', () => {
  let testbed: ChildTestbed;
  beforeAll(async () => {
    testbed = await testbedUp(4);
  });
  afterAll(() => testbed.close());

  test('load, then the disks are the image, ssh answers, nothing is left', async () => {
    const result = await testbed.run('imaging-load', ['-i', 'demo', '1-3', '-u', '--progress', 'json']);
    expect(result.stderr).toBe('');
    expect(result.code).toBe(0);
    expect(finishedOf(result.events)).toMatchObject({ ok: ['fit01', 'fit02', 'fit03'], failed: [], exitCode: 0 });
    const steps = result.events.flatMap((event) => (event.type === 'target.step' && event.target === 'fit02' ? [event.step] : []));
    expect(steps).toEqual(['lock', 'pxe', 'reset', 'boot', 'write', 'check', 'verify', 'reboot', 'ssh']);
    expect(result.events.map((event) => event.seq)).toEqual(result.events.map((_, index) => index));
    const disks = ['fit01', 'fit02', 'fit03'].map((node) => sha256(join(testbed.dir, 'nodes', node, 'disk.img')));
    expect(new Set(disks)).toEqual(new Set([sha256(join(testbed.dir, 'images/demo.img'))]));
    expect(testbed.links()).toEqual([]);
  });

  test('the server sees its clients join and leave, and sends little twice', async () => {
    const { events, code } = await testbed.run('imaging-load', ['1', '2', '--progress', 'json']);
    expect(code).toBe(0);
    expect(
      events
        .filter((event) => event.type === 'server.join')
        .map((event) => event.target)
        .sort(),
    ).toEqual(['fit01', 'fit02']);
    expect(events.filter((event) => event.type === 'server.leave')).toHaveLength(2);
    const stopped = events.find((event) => event.type === 'server.stopped');
    expect(stopped?.type === 'server.stopped' && stopped.sentBlocks).toBeGreaterThan(1_000);
  });

  test('logs: imaging.log with times, the events, and what each node said', async () => {
    const { code } = await testbed.run('imaging-load', ['4', '--progress', 'quiet']);
    expect(code).toBe(0);
    const runs = readdirSync(join(testbed.dir, 'state'), { recursive: true }).map(String);
    const log = runs.filter((file) => file.endsWith('fit04.log')).at(-1);
    expect(readFileSync(join(testbed.dir, 'state', log ?? ''), 'latin1')).toMatch(/Joined the team[\s\S]*Wrote \d+ bytes/);
    expect(runs.some((file) => file.endsWith('events.jsonl'))).toBe(true);
  });

  test('--dry-run says what would be done and touches nothing', async () => {
    const { code, stdout } = await testbed.run('imaging-load', ['-i', 'demo', '1-3', '~2', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/nodes +1,3 \(2\)/);
    expect(stdout).toContain('demo.ndz');
    expect(testbed.links()).toEqual([]);
  });

  test('a cut image is refused before anything is touched; one whose table speaks of more is loaded with a warning', async () => {
    const cut = join(testbed.dir, 'images/cut.ndz');
    writeFileSync(cut, fixture('frag-ext2-F0').subarray(0, 2 * CHUNK_BYTES));
    const refused = await testbed.run('imaging-load', ['-i', cut, '1']);
    expect(refused).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/cut\.ndz: .*its last chunks are missing\n.*copy the image again/) as unknown,
    });
    const disk = join(testbed.dir, 'images/smaller.raw');
    writeFileSync(disk, gptDisk(64 * 1024 * 1024, [{ first: 2048, last: 40_000 }]).subarray(0, 32 * 1024 * 1024));
    const dry = await testbed.run('imaging-load', ['-i', disk, '1', '--dry-run']);
    expect(dry.code).toBe(0);
    expect(dry.stdout + dry.stderr).toMatch(
      /speaks of 131072 sectors, and the disk that was imaged had 65536: was it copied from a larger one, or cut\?/,
    );
    expect(testbed.links()).toEqual([]);
  });

  test('two loads at once take different slots', async () => {
    const results = await Promise.all([
      testbed.run('imaging-load', ['1-2', '--progress', 'json']),
      testbed.run('imaging-load', ['3-4', '--progress', 'json']),
    ]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    const ports = results.map(({ events }) => events.flatMap((event) => (event.type === 'server.started' ? [event.port] : [])));
    expect(new Set(ports.flat()).size).toBe(2);
    expect(testbed.links()).toEqual([]);
  });

  test('-n leaves the nodes where they are', async () => {
    const { code, stdout } = await testbed.run('imaging-load', ['-n', '1', '-t', '2', '--progress', 'quiet']);
    expect(code).toBe(1); // node 1 runs its disk's system: there is no telnet
    expect(stdout).toMatch(/fit01 +at boot: .*last seen: telnet .* refused/);
  });

  test('power verbs', async () => {
    const status = await testbed.run('imaging-status', ['1-4']);
    expect(status).toMatchObject({ code: 0, stderr: '', stdout: 'reboot01:on\nreboot02:on\nreboot03:on\nreboot04:on\n' });
    expect(await testbed.run('imaging-off', ['2'])).toMatchObject({ code: 0, stdout: 'reboot02:ok\n' });
    expect(await testbed.run('imaging-off', ['2'])).toMatchObject({ code: 0, stdout: 'reboot02:already off\n' });
    expect(await testbed.run('imaging-status', ['2'])).toMatchObject({ code: 0, stdout: 'reboot02:off\n' });
    expect(await testbed.run('imaging-on', ['2'])).toMatchObject({ code: 0, stdout: 'reboot02:ok\n' });
    expect((await testbed.run('imaging-usrpstatus', ['2'])).stdout).toMatch(/^reboot02:usrp(on|off)\n$/);
    expect((await testbed.run('imaging-info', ['2'])).stdout).toMatch(/^(reboot02:.+\n){2,}$/);
  });

  test('wait', async () => {
    expect(await testbed.run('imaging-reset', ['3'])).toMatchObject({ code: 0, stdout: 'reboot03:ok\n' });
    expect(await testbed.run('imaging-wait', ['3', '-t', '20', '--progress', 'quiet'])).toMatchObject({
      code: 0,
      stdout: 'fit03:ssh OK\n',
    });
    expect(await testbed.run('imaging-wait', ['3', '-s'])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const telnet = await testbed.run('imaging-wait', ['3', '-n', '-t', '1', '--progress', 'quiet']);
    expect(telnet).toMatchObject({ code: 1, stdout: 'fit03:telnet KO\n' });
    expect(telnet.stderr).toMatch(/fit03 +at telnet: .*refused/);
  });

  test.each([
    [['99'], 2, /99.*not in the inventory/],
    [['demo', '1'], 2, /did you forget -i/],
    [['1', '-i', 'nonsense'], 4, /nonsense/],
    [['5-3'], 2, /empty/],
    [[], 2, /NODES/],
    [['1', '--bogus'], 2, /bogus/],
  ])('imaging-load %j ends with %i and says why', async (args, code, why) => {
    const result = await testbed.run('imaging-load', args);
    expect(result.code).toBe(code);
    expect(result.stderr + result.stdout).toMatch(why);
    expect(result.stderr).not.toMatch(/\n\s+at /); // no stack for a person's mistake
    expect(testbed.links()).toEqual([]);
  });
});

test('without a testbed around, nothing leaks in: IMAGING_CONFIG that is missing is exit 4', async () => {
  const result = await run('imaging-status', ['1'], { env: { IMAGING_CONFIG: '/nonexistent/imaging.conf' } });
  expect(result.code).toBe(4);
  expect(result.stderr).toContain('/nonexistent/imaging.conf');
  expect(existsSync('/nonexistent')).toBe(false);
});
