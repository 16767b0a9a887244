import { execFileSync } from 'node:child_process';
import { readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readChecksum, writeChecksum, doubtOf, readProvenance, writeProvenance, type Provenance } from '../../src/images/records.js';
import { temporaryFolder } from '../helpers/images.js';

const provenance: Provenance = {
  sha256: 'ab'.repeat(32),
  sizeBytes: 5,
  image: 'mine',
  node: 'fit01',
  by: 'ann',
  gateway: 'faraday',
  savedAt: '2026-11-21T01:16:00.000Z',
  comment: `"; rm -rf / #`,
  base: null,
  stamp: null,
  verified: true,
  disk: null,
  notStamped: null,
};

test('is read back as it was written, by the name of a link too', async () => {
  const dir = await temporaryFolder();
  const path = join(dir, 'mine.ndz');
  await writeFile(path, '12345');
  await symlink('mine.ndz', join(dir, 'alias.ndz'));
  expect(await readProvenance(path)).toBeNull();
  await writeProvenance(path, provenance);
  await writeChecksum(path, provenance.sha256);
  expect(await readProvenance(path)).toEqual(provenance);
  expect(await readProvenance(join(dir, 'alias.ndz'))).toEqual(provenance);
  expect(await readChecksum(join(dir, 'alias.ndz'))).toBe(provenance.sha256);
  expect((await readdir(dir)).sort()).toEqual(['alias.ndz', 'mine.ndz', 'mine.ndz.json', 'mine.ndz.sha256']);
});

test('of before disks were marked has no mark', async () => {
  const path = join(await temporaryFolder(), 'mine.ndz');
  const { disk, notStamped, ...old } = provenance;
  await writeFile(`${path}.json`, JSON.stringify({ schema: 1, ...old }));
  expect(await readProvenance(path)).toEqual({ ...old, disk, notStamped });
});

test('says what is against an image, of that very content', () => {
  expect(doubtOf(provenance, 5)).toBeNull();
  expect(doubtOf({ ...provenance, disk: 'half-written' }, 5)).toBe(
    'saved from fit01 by ann while the disk was half-written, as a load onto it had not ended well',
  );
  expect(doubtOf({ ...provenance, disk: 'half-written' }, 6)).toBeNull();
  expect(doubtOf({ ...provenance, verified: false }, 5)).toContain('not read back');
  expect(doubtOf(null, 5)).toBeNull();
});

test('nobody waits for a pipe, and nobody is quoted', async () => {
  const path = join(await temporaryFolder(), 'mine.ndz');
  execFileSync('mkfifo', [`${path}.json`]);
  await expect(readProvenance(path)).rejects.toThrow('it is no regular file');
  await rm(`${path}.json`);
  await writeFile(`${path}.json`, 'root:secret');
  await expect(readProvenance(path)).rejects.toThrow(/it is not JSON$/);
});

test.each([
  '',
  '{',
  '[]',
  'null',
  '{"schema":1}',
  JSON.stringify({ schema: 2, ...provenance }),
  JSON.stringify({ schema: 1, ...provenance, comment: 7 }),
  JSON.stringify({ schema: 1, ...provenance, disk: 7 }),
])('is not made up from %s', async (text) => {
  const path = join(await temporaryFolder(), 'mine.ndz');
  await writeFile(`${path}.json`, text);
  await expect(readProvenance(path)).rejects.toThrow(
    expect.objectContaining({ code: 'provenance-unreadable', message: expect.stringContaining('mine.ndz.json') as unknown }),
  );
});
