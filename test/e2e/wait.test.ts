import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resultText } from '../../src/monitor/result-text.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(3, '--on', '--fault', 'fit01:old-os-lingers:8', '--fault', 'fit02:ssh-refused');
});
afterAll(() => testbed.close());

test('right after a reset the old system still answers, and is not taken for the new one', async () => {
  const before = await testbed.run('imaging-wait', ['1', '-t', '20', '--progress', 'quiet']);
  expect(before.stdout).toBe('fit01:ssh OK\n');
  expect((await testbed.run('imaging-reset', ['1'])).code).toBe(0);
  const after = await testbed.run('imaging-wait', ['1', '-t', '30', '--progress', 'json']);
  expect(after.code).toBe(0);
  expect(after.events.some((event) => event.type === 'target.note' && /booted before the reset/.test(event.text))).toBe(true);
  const done = after.events.find((event) => event.type === 'target.done');
  expect(done?.type === 'target.done' && resultText(done.result, 'fit01')).toMatch(/^ssh OK, up [01] s$/);
});

test('who does not answer in time is told, with what was seen; the others are not held up', async () => {
  await testbed.run('imaging-reset', ['2', '3']);
  const { code, stdout, stderr } = await testbed.run('imaging-wait', ['2-3', '-t', '3', '--progress', 'quiet']);
  expect(code).toBe(1);
  expect(stdout).toBe('fit02:ssh KO\nfit03:ssh OK\n');
  expect(stderr).toMatch(/fit02 +at ssh: .*last seen: ssh 127\.0\.3\.2:\d+ refused/);
});

test('-n waits for telnet', async () => {
  const wait = testbed.start('imaging-wait', ['3', '-n', '-t', '50', '--progress', 'json']);
  await wait.event((event) => event.type === 'target.step'); // the small system is up for moments only
  const load = await testbed.run('imaging-load', ['3', '--progress', 'quiet']);
  expect(load.code).toBe(0);
  expect((await wait.finished).events).toContainEqual(
    expect.objectContaining({
      type: 'target.done',
      target: 'fit03',
      result: expect.objectContaining({ type: 'up', via: 'telnet' }) as unknown,
    }),
  );
});

test('-s says nothing, not even a warning', async () => {
  const config = join(testbed.dir, 'no-links.conf');
  const text = execFileSync('cat', [testbed.env.IMAGING_CONFIG ?? ''], { encoding: 'utf8' });
  writeFileSync(config, text.replace(/^config_dir.*$/m, `config_dir = ${join(testbed.dir, 'no-such-folder')}`));
  const loud = await testbed.run('imaging-wait', ['3', '-t', '20', '--progress', 'quiet'], { IMAGING_CONFIG: config });
  expect(loud.stderr).toContain('next-boot links of killed runs');
  expect(await testbed.run('imaging-wait', ['3', '-t', '20', '-s'], { IMAGING_CONFIG: config })).toMatchObject({
    code: 0,
    stdout: '',
    stderr: '',
  });
});

test('a reset that was recorded while the clock was ahead refuses no system, and is told of', async () => {
  const nodes = join(testbed.env.HOME ?? '', 'clock-ahead/nodes');
  mkdirSync(nodes, { recursive: true });
  const record = join(nodes, 'fit03.json');
  writeFileSync(record, JSON.stringify({ lastBootAt: Date.now() + 86_400_000, verb: 'reset', by: 'root' }));
  const config = join(testbed.dir, 'clock-ahead.conf');
  const text = execFileSync('cat', [testbed.env.IMAGING_CONFIG ?? ''], { encoding: 'utf8' });
  writeFileSync(config, `${text}\n[runs]\ndir = ${join(nodes, '..')}\n`);
  try {
    const { code, stdout, stderr } = await testbed.run('imaging-wait', ['3', '-t', '20', '--progress', 'quiet'], {
      IMAGING_CONFIG: config,
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'fit03:ssh OK\n' });
    expect(stderr).toMatch(/warning: fit03: its last reset is recorded 24 h in the future/);
  } finally {
    rmSync(record);
  }
});
