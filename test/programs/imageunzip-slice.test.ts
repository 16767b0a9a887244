import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { writeImage } from '../../src/ndz/write/writer.js';
import { runImageunzip } from '../../src/programs/imageunzip.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { fixture, temporaryFolder } from '../helpers/images.js';

async function run(...argv: string[]): Promise<{ code: number; stderr: string }> {
  const stderr = new PassThrough();
  const text = stderr.toArray();
  const code = await runImageunzip(argv, { stdout: new PassThrough().resume(), stderr });
  stderr.end();
  return { code, stderr: Buffer.concat((await text) as Buffer[]).toString() };
}

test('-s writes into one partition, by the table that is there', async () => {
  const folder = await temporaryFolder();
  const [disk, image] = [join(folder, 'disk'), join(folder, 'x.ndz')];
  const before = Buffer.alloc(4 * 1024 * 1024, 'old');
  before.fill(0, 446, 510);
  before[450] = 0x83;
  before.writeUInt32LE(2048, 454);
  before.writeUInt32LE(2048, 458);
  before.writeUInt16LE(0xaa55, 510);
  const content = randomBytes(100 * 512);
  await writeFile(join(folder, 'raw'), content);
  await writeImage(join(folder, 'raw'), image);
  await writeFile(disk, before);
  expect((await run('-s', '1', image, disk)).code).toBe(0);
  const wanted = Buffer.from(before);
  wanted.set(content, 1024 * 1024);
  expect(Buffer.compare(await readFile(disk), wanted)).toBe(0);
  expect(await run('-s', '2', image, disk)).toMatchObject({ code: 1, stderr: expect.stringContaining('no partition 2') as unknown });
  for (const argv of [
    ['-s', '0', image, disk],
    ['-s', 'x', image, disk],
    ['-s', '1', image],
  ]) {
    expect(await run(...argv)).toMatchObject({ code: 1, stderr: expect.stringContaining('usage: imageunzip') as unknown });
  }
});

test('refuses an image whose last chunks are missing, before the disk is touched', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'disk'), 'old');
  await writeFile(join(folder, 'x.ndz'), fixture('frag-ext2-F0').subarray(0, CHUNK_BYTES));
  expect(await run(join(folder, 'x.ndz'), join(folder, 'disk'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('its last chunks are missing') as unknown,
  });
  expect(await readFile(join(folder, 'disk'), 'utf8')).toBe('old');
});
