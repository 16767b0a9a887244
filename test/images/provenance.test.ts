import { readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readChecksum, writeChecksum } from '../../src/images/checksum-file.js';
import { readProvenance, writeProvenance, type Provenance } from '../../src/images/provenance.js';
import { temporaryFolder } from '../ndz/images.js';

const provenance: Provenance = {
  sha256: 'ab'.repeat(32), sizeBytes: 5, image: 'mine', node: 'fit01', by: 'ann', gateway: 'faraday', savedAt: '2026-11-21T01:16:00.000Z', comment: `"; rm -rf / #`, base: null, stamp: null, verified: true,
};

it('is read back as it was written, by the name of a link too', async () => {
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

it.each(['', '{', '[]', 'null', '{"schema":1}', JSON.stringify({ schema: 2, ...provenance }), JSON.stringify({ schema: 1, ...provenance, comment: 7 })])('is not made up from %s', async (text) => {
  const path = join(await temporaryFolder(), 'mine.ndz');
  await writeFile(`${path}.json`, text);
  await expect(readProvenance(path)).rejects.toThrow(expect.objectContaining({ code: 'provenance-unreadable', message: expect.stringContaining('mine.ndz.json') as unknown }));
});
