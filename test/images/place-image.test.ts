import { link, readdir, readFile, stat, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checksumFile } from '../../src/images/records.js';
import { placeImage } from '../../src/images/saved.js';
import type { SideFile } from '../../src/images/side-file.js';
import { temporaryFolder } from '../helpers/images.js';

const sides = (path: string, text = 'mine'): SideFile[] => [checksumFile(path, 'ab'.repeat(32)), { path: `${path}.json`, text }];

test('the side files have their names before the image has', async () => {
  const dir = await temporaryFolder();
  const [file, path] = [join(dir, 'partial'), join(dir, 'x.ndz')];
  await writeFile(file, 'image');
  const ending = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { filename } of watch(dir, { signal: ending.signal })) {
      if (filename !== null && !filename.startsWith('.') && filename !== 'partial' && !seen.includes(filename)) seen.push(filename);
      if (filename === 'x.ndz') return;
    }
  })();
  expect(await placeImage(file, path, sides(path), { mode: 0o640 })).toBe(true);
  await watching;
  expect(seen).toEqual(['x.ndz.sha256', 'x.ndz.json', 'x.ndz']);
  expect((await stat(`${path}.json`)).mode & 0o777).toBe(0o640);
  expect((await readdir(dir)).sort()).toEqual(['partial', 'x.ndz', 'x.ndz.json', 'x.ndz.sha256']);
});

test.each(['x.ndz', 'x.ndz.sha256', 'x.ndz.json'])('leaves nothing, and touches nothing, when %s is somebody else’s', async (taken) => {
  const dir = await temporaryFolder();
  const [file, path] = [join(dir, 'partial'), join(dir, 'x.ndz')];
  await writeFile(file, 'image');
  await writeFile(join(dir, taken), 'theirs');
  expect(await placeImage(file, path, sides(path))).toBe(false);
  expect((await readdir(dir)).sort()).toEqual(['partial', taken]);
  expect(await readFile(join(dir, taken), 'utf8')).toBe('theirs');
});

test('of many at once one gets the name, and what lies beside it is that one’s', async () => {
  const dir = await temporaryFolder();
  const path = join(dir, 'x.ndz');
  const files = Array.from({ length: 8 }, (_, i) => join(dir, `partial${i}`));
  await Promise.all(files.map((file) => writeFile(file, file)));
  const got = await Promise.all(files.map((file) => placeImage(file, path, sides(path, file))));
  const winners = files.filter((_, i) => got[i]);
  expect(winners.length).toBeLessThanOrEqual(1);
  const names = (await readdir(dir)).filter((name) => !name.startsWith('partial')).sort();
  expect(names).toEqual(winners.length === 0 ? [] : ['x.ndz', 'x.ndz.json', 'x.ndz.sha256']);
  for (const winner of winners) expect([await readFile(path, 'utf8'), await readFile(`${path}.json`, 'utf8')]).toEqual([winner, winner]);
});

test('leaves nothing when a side file cannot be written', async () => {
  const dir = await temporaryFolder();
  const [file, path] = [join(dir, 'partial'), join(dir, 'x.ndz')];
  await writeFile(file, 'image');
  await link(file, join(dir, 'other'));
  const bad = { path: join(dir, 'none', 'x.json'), text: '' };
  await expect(placeImage(file, path, [checksumFile(path, 'ab'.repeat(32)), bad])).rejects.toMatchObject({
    code: 'image-write-failed',
    message: expect.stringContaining(bad.path) as unknown,
  });
  expect((await readdir(dir)).sort()).toEqual(['other', 'partial']);
});
