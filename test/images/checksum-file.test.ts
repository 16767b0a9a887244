import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashFile, readChecksum, removeChecksum, writeChecksum } from '../../src/images/records.js';
import { temporaryFolder } from '../helpers/images.js';

const HASH = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

test('lies beside the file as sha256sum writes it', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'x.ndz');
  await writeFile(path, 'abc');
  expect(await readChecksum(path)).toBeNull();
  expect(await hashFile(path)).toBe(HASH);
  await writeChecksum(path, await hashFile(path));
  expect(await readFile(`${path}.sha256`, 'utf8')).toBe(`${HASH}  x.ndz\n`);
  expect(execFileSync('sha256sum', ['-c', 'x.ndz.sha256'], { cwd: folder, encoding: 'utf8' })).toBe('x.ndz: OK\n');
  expect(await readChecksum(path)).toBe(HASH);
  await removeChecksum(path);
  await removeChecksum(path);
  expect(await readChecksum(path)).toBeNull();
});

test.each([
  [`${HASH.toUpperCase()} *x.ndz\n`, HASH],
  [`${HASH}\n`, HASH],
  [`${'0'.repeat(64)}  other.ndz\n${HASH}  /images/x.ndz\n`, HASH],
])('is understood in its other forms: %j', async (text, expected) => {
  const path = join(await temporaryFolder(), 'x.ndz');
  await writeFile(`${path}.sha256`, text);
  expect(await readChecksum(path)).toBe(expected);
});

test.each(['', 'hello\n', `${HASH}  other.ndz\n`, `${HASH.slice(1)}  x.ndz\n`])(
  'that says nothing of the file is an error: %j',
  async (text) => {
    const path = join(await temporaryFolder(), 'x.ndz');
    await writeFile(`${path}.sha256`, text);
    await expect(readChecksum(path)).rejects.toThrow(expect.objectContaining({ code: 'checksum-unreadable' }));
  },
);
