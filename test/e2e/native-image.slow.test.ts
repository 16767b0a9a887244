import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(2);
  writeFileSync(join(testbed.dir, 'images/other.img.gz'), gzipSync(readFileSync(join(testbed.dir, 'images/demo.img'))));
});
afterAll(() => testbed.close());

test('a compressed raw image is converted on its way, once', async () => {
  const first = await testbed.run('imaging-load', ['-i', 'other', '1', '--progress', 'plain']);
  expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('converting other.img.gz 100 %') as unknown });
  const second = await testbed.run('imaging-load', ['-i', 'other.img.gz', '2', '--progress', 'plain']);
  expect(second.code).toBe(0);
  expect(second.stderr).not.toContain('converting');
  for (const node of ['fit01', 'fit02'])
    expect(sha256(join(testbed.dir, 'nodes', node, 'disk.img'))).toBe(sha256(join(testbed.dir, 'images/demo.img')));
  const converted = readdirSync(join(testbed.dir, 'state/converted', String(process.getuid?.()))).filter((name) => name.endsWith('.ndz'));
  expect(converted.length).toBe(1);
}, 120_000);

test('a file that is no image is refused with what it is', async () => {
  writeFileSync(join(testbed.dir, 'images/notes.raw'), 'dear diary '.repeat(1000));
  expect(await testbed.run('imaging-load', ['-i', 'notes', '1'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('is no image that is known here') as unknown,
  });
});
