import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspectImage } from '../../src/ndz/reader.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(2, '--on');
});
afterAll(() => testbed.close());

const images = (): string[] => readdirSync(join(testbed.dir, 'images')).filter((name) => name.startsWith('saving__'));

test('save a disk, and load it onto another node', async () => {
  const saved = await testbed.run('imaging-save', ['1', '-o', "it's mine", '--progress', 'quiet']);
  expect(saved.stderr).toBe('');
  expect(saved.code).toBe(0);
  const path = /^fit01:(.*__it's mine\.ndz)$/m.exec(saved.stdout)?.[1] ?? '';
  const info = await inspectImage(path);
  expect(info.diskBytes).toBeGreaterThan(1_000_000);
  expect(testbed.links()).toEqual([]);
  const loaded = await testbed.run('imaging-load', ['-i', path, '2', '--progress', 'json']);
  expect(loaded.code).toBe(0);
  const [one, two] = ['fit01', 'fit02'].map((node) => readFileSync(join(testbed.dir, 'nodes', node, 'disk.img')));
  expect(one && two && one.equals(two)).toBe(true);
});

test('Ctrl-C in the middle leaves no image, not even a partial one', async () => {
  const before = images();
  const save = testbed.start('imaging-save', ['2', '-o', 'half', '--progress', 'json']);
  await save.event((event) => event.type === 'node.step' && event.step === 'read');
  save.child.kill('SIGINT');
  expect((await save.finished).code).toBe(130);
  expect(images()).toEqual(before);
  expect(testbed.links()).toEqual([]);
});

test('two saves in one minute are two images', async () => {
  const before = images().length;
  for (const code of [0, 0]) expect((await testbed.run('imaging-save', ['1', '-o', 'twice', '--progress', 'quiet'])).code).toBe(code);
  expect(images().length).toBe(before + 2);
  expect(images().some((name) => name.endsWith('__twice-2.ndz') || images().filter((other) => other.endsWith('__twice.ndz')).length === 2)).toBe(true);
});

test('a name with a slash is refused', async () => {
  const result = await testbed.run('imaging-save', ['1', '-o', '../x']);
  expect(result.code).toBe(2);
  expect(result.stderr).toContain('no slash');
});
