import { afterAll, beforeAll, expect, test } from 'vitest';
import { preloaded } from '../helpers/preload.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

// defects of imaging itself, made from outside: functions of Node.js that throw what they never throw, or never end
let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(3, '--boot', '0.4');
});
afterAll(() => testbed.close());

test("a defect in one node's task: that node failed with code bug, the others are fine, exit 70", async () => {
  const env = preloaded(`
    let first = true;
    replace('symlink', (symlink) => async (target, path) => {
      if (inConfigDir(path) && first) { first = false; throw new TypeError('boom'); }
      return symlink(target, path);
    });`);
  const { code, events, stderr } = await testbed.run('imaging-load', ['1-3', '--progress', 'json'], env);
  const failed = events.filter((event) => event.type === 'target.failed');
  expect(failed).toMatchObject([
    { code: 'bug', message: expect.stringMatching(/TypeError: boom\n\s+at /), hint: expect.stringContaining('report it') },
  ]);
  expect(events.filter((event) => event.type === 'target.done')).toHaveLength(2);
  expect(code, stderr).toBe(70);
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', exitCode: 70 });
  expect(testbed.links()).toEqual([]);
});

test('the final table names it in one line, and says what to do', async () => {
  const env = preloaded(`
    replace('symlink', (symlink) => async (target, path) => {
      if (inConfigDir(path)) throw new TypeError('boom');
      return symlink(target, path);
    });`);
  const { code, stdout, stderr } = await testbed.run('imaging-load', ['1'], env);
  expect(code, stderr).toBe(70);
  expect(stdout + stderr).toMatch(/fit01 {2}at \w+: TypeError: boom \[bug\]\n.*report it/);
});

test('an exception that nobody catches: the run is undone, and exit 70 says whose fault it was', async () => {
  const env = preloaded(`
    replace('symlink', (symlink) => async (target, path) => {
      if (inConfigDir(path)) setTimeout(() => { throw new RangeError('out of the blue'); }, 50);
      return symlink(target, path);
    });`);
  const { code, stderr } = await testbed.run('imaging-load', ['1-2', '--progress', 'quiet'], env);
  expect(code).toBe(70);
  expect(stderr).toMatch(/imaging \S+, Node v\S+: this is a defect of imaging itself\nRangeError: out of the blue\n\s+at /);
  expect(testbed.links()).toEqual([]);
});

test('a second signal ends at once, however long undoing takes; one that follows within half a second is the same one', async () => {
  const env = preloaded(`
    let ending = false;
    process.on('SIGINT', () => (ending = true));
    replace('unlink', (unlink) => (path) => (ending && inConfigDir(path) ? new Promise(() => setInterval(() => {}, 1_000)) : unlink(path)));`);
  const load = testbed.start('imaging-load', ['1-3', '--progress', 'json'], env);
  await load.event((event) => event.type === 'target.step' && event.step === 'boot');
  const signalledAt = performance.now();
  load.child.kill('SIGINT');
  load.child.kill('SIGINT'); // as npm passes it on: no second one
  await new Promise((resolve) => setTimeout(resolve, 1_200)); // longer than what counts as one signal; undoing takes 5 s and more
  expect(load.child.exitCode).toBeNull();
  load.child.kill('SIGINT');
  const { code, events } = await load.finished;
  expect(code).toBe(130);
  expect(performance.now() - signalledAt).toBeLessThan(4_500);
  expect(events.some((event) => event.type === 'run.finished')).toBe(false); // it was out before
  expect(testbed.links()).not.toEqual([]); // nothing was undone: the next command does it
  await testbed.run('imaging-load', ['2', '--progress', 'quiet']);
  expect(testbed.links()).toEqual([]);
});
