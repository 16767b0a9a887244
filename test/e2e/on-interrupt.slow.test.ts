import { afterAll, beforeAll, expect, test } from 'vitest';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  // the third boots so late that it has nothing to finish when the others write
  testbed = await testbedUp(3, '--boot', '0.3', '--size', '48', '--fault', 'fit03:slow-boot:20');
}, 60_000);
afterAll(() => testbed.close());

const LOAD = ['-i', 'demo', '1-3', '-b', '30', '--progress', 'plain'];

/** A load that is told `signal` once nodes 1 and 2 write. */
async function interrupted(...options: string[]) {
  const load = testbed.start('imaging-load', [...LOAD, ...options]);
  let stderr = '';
  const seen = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (pattern.test(stderr) && resolve());
      load.child.stderr.on('data', look);
      look();
    });
  load.child.stderr.on('data', (text: string) => (stderr += text));
  await seen(/fit01 write[^]*\n\+\d+s [12]0 %|fit02 write[^]*fit01 write|fit01 write[^]*fit02 write/);
  return { load, seen };
}

test('a signal in the write: the table says which disks are unusable, and which nodes were only reset', async () => {
  const { load } = await interrupted();
  load.child.kill('SIGTERM');
  const { code, stdout } = await load.finished;
  expect(code).toBe(143);
  expect(stdout).toMatch(/^ {2}1-2 {2}at write: interrupted by SIGTERM \[interrupted\]$/m);
  expect(stdout).toContain(
    '2 nodes (1-2) were cut off in the middle of the write: they run the small system, their disks hold nothing bootable: load them again\n',
  );
  expect(stdout).toMatch(/^1 node \(3\) was only reset: /m);
  expect(testbed.links()).toEqual([]);
}, 60_000);

test("--on-interrupt finish: what is being written comes to its end, nothing new begins; the code is the signal's", async () => {
  const { load } = await interrupted('--on-interrupt', 'finish');
  load.child.kill('SIGINT');
  const { code, stdout, stderr } = await load.finished;
  expect(code).toBe(130);
  expect(stdout).toMatch(/^ok +2 +1-2$/m);
  expect(stdout).toMatch(/^1 node \(3\) was only reset: /m);
  expect(stdout).not.toContain('cut off');
  expect(stderr).toMatch(/SIGINT: what is being written is brought to its end, nothing new begins/);
  expect(stderr).toMatch(/fit01 reboot/);
  expect(testbed.links()).toEqual([]);
  expect((await testbed.run('imaging-wait', ['1-2', '-t', '30', '-s'])).code).toBe(0);
}, 60_000);

test('--on-interrupt finish: a second signal stops', async () => {
  const { load, seen } = await interrupted('--on-interrupt', 'finish');
  load.child.kill('SIGINT');
  await seen(/nothing new begins/);
  const again = setInterval(() => load.child.kill('SIGTERM'), 100); // those that come at once are taken for the same one
  const { code, stdout } = await load.finished;
  clearInterval(again);
  expect(code).toBe(143);
  expect(stdout === '' || stdout.includes('cut off in the middle of the write')).toBe(true);
}, 60_000);
