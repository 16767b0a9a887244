import { afterAll, beforeAll, expect, test } from 'vitest';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(3, '--on', '--fault', 'fit01:old-os-lingers:2', '--fault', 'fit02:ssh-refused');
});
afterAll(() => testbed.close());

test('right after a reset the old system still answers, and is not taken for the new one', async () => {
  const before = await testbed.run('imaging-wait', ['1', '-t', '20', '--progress', 'quiet']);
  expect(before.stdout).toBe('fit01:ssh OK\n');
  expect((await testbed.run('imaging-reset', ['1'])).code).toBe(0);
  const after = await testbed.run('imaging-wait', ['1', '-t', '30', '--progress', 'json']);
  expect(after.code).toBe(0);
  expect(after.events.some((event) => event.type === 'node.note' && /booted before the reset/.test(event.text))).toBe(true);
  const done = after.events.find((event) => event.type === 'node.done');
  expect(done?.type === 'node.done' && done.detail).toMatch(/^ssh OK, up [01] s$/);
});

test('who does not answer in time is told, with what was seen; the others are not held up', async () => {
  await testbed.run('imaging-reset', ['2', '3']);
  const { code, stdout, stderr } = await testbed.run('imaging-wait', ['2-3', '-t', '3', '--progress', 'quiet']);
  expect(code).toBe(1);
  expect(stdout).toBe('fit02:ssh KO\nfit03:ssh OK\n');
  expect(stderr).toMatch(/fit02 +at ssh: .*last seen: ssh 127\.0\.3\.2:\d+ refused/);
});

test('-n waits for telnet', async () => {
  const load = testbed.start('imaging-load', ['3', '--progress', 'json']);
  await load.event((event) => event.type === 'node.step' && event.step === 'boot');
  const wait = await testbed.run('imaging-wait', ['3', '-n', '-t', '10', '--progress', 'quiet']);
  expect(wait).toMatchObject({ code: 0, stdout: 'fit03:telnet OK\n' });
  expect((await load.finished).code).toBe(0);
});
