import { link, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listImages } from '../../src/images/find.js';
import { temporaryFolder } from '../helpers/images.js';

test("lists a folder's images by name, with their aliases", async () => {
  const dir = await temporaryFolder();
  const elsewhere = join(await temporaryFolder(), 'elsewhere.ndz');
  await writeFile(elsewhere, '12345');
  for (const [name, content] of [
    ['b.ndz', 'bb'],
    ['a.ndz', 'a'],
    ['raw.img', ''],
    ['.b.ndz.1.tmp', ''],
    ['.hidden.ndz', ''],
  ] as const)
    await writeFile(join(dir, name), content);
  await utimes(join(dir, 'b.ndz'), 1_450_000_000, 1_450_000_000);
  await mkdir(join(dir, 'folder.ndz'));
  await symlink('b.ndz', join(dir, 'default.ndz'));
  await symlink('default.ndz', join(dir, 'another.ndz'));
  await symlink(elsewhere, join(dir, 'c.ndz'));
  await symlink('gone.ndz', join(dir, 'broken.ndz'));
  await symlink('loop.ndz', join(dir, 'loop.ndz'));
  const images = await listImages(dir);
  expect(images.map(({ name, sizeBytes, aliases, brokenLinkTo }) => [name, sizeBytes, aliases, brokenLinkTo])).toEqual([
    ['a', 1, [], null],
    ['b', 2, ['another', 'default'], null],
    ['broken', 0, [], 'gone.ndz'],
    ['c', 5, [], null],
    ['loop', 0, [], 'loop.ndz'],
    ['raw.img', 0, [], null],
  ]);
  expect(images[1]).toMatchObject({ path: join(dir, 'b.ndz'), mtimeMs: 1_450_000_000_000 });
});

test('takes hard links, and links to one file elsewhere, for names of one image', async () => {
  const dir = await temporaryFolder();
  const elsewhere = join(await temporaryFolder(), 'elsewhere.ndz');
  await writeFile(elsewhere, '12345');
  const saved = join(dir, 'saving__fit07__2026-11-21@01-16__mine.ndz');
  await writeFile(saved, '123');
  await link(saved, join(dir, 'best.ndz'));
  await symlink('best.ndz', join(dir, 'default.ndz'));
  for (const name of ['x.ndz', 'y.ndz']) await symlink(elsewhere, join(dir, name));
  const images = await listImages(dir);
  expect(images.map(({ name, aliases }) => [name, aliases])).toEqual([
    ['best', ['default', 'saving__fit07__2026-11-21@01-16__mine']],
    ['x', ['y']],
  ]);
});

test('tells from which node an image was saved, and what it was called', async () => {
  const dir = await temporaryFolder();
  for (const name of ['saving__fit07__2026-11-21@01-16__mine.ndz', 'fedora.ndz']) await writeFile(join(dir, name), 'x');
  expect((await listImages(dir)).map(({ node, radical }) => [node, radical])).toEqual([
    [null, 'fedora'],
    ['fit07', 'mine'],
  ]);
});

test('says which folder cannot be read, and where that is set', async () => {
  const dir = join(await temporaryFolder(), 'none');
  await expect(listImages(dir)).rejects.toThrow(
    expect.objectContaining({
      kind: 'environment',
      message: expect.stringContaining(dir) as unknown,
      hint: expect.stringContaining('images_dir') as unknown,
    }),
  );
});
