import { chmod, lchown, link, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConvertedCache, type Known } from '../../src/images/converted-cache.js';
import { writeImage } from '../../src/ndz/write/writer.js';
import { systemHost } from '../../src/util/host.js';
import { descriptorsOf, temporaryFolder } from '../helpers/images.js';

const isRoot = process.getuid?.() === 0;
/** Neither root nor the one of the tests. */
const OTHER = 54_321;
const NDZ = `${'a'.repeat(64)}.ndz`;
const known: Known = { source: '/x', sha256: 'a'.repeat(64), ndz: NDZ, notes: ['a note'] };

let cacheDir: string;
let own: string;

beforeEach(async () => {
  cacheDir = join(await temporaryFolder(), 'converted');
  own = join(cacheDir, String(systemHost.uid()));
});

/** A folder with an image and its record. */
async function filled(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'raw'), Buffer.alloc(1024, 'x'));
  await writeImage(join(folder, 'raw'), join(folder, NDZ));
  await writeFile(join(folder, 'r.json'), JSON.stringify(known));
  for (const name of [NDZ, 'r.json']) await chmod(join(folder, name), 0o644);
  await chmod(folder, 0o755);
}

async function found(host = systemHost): Promise<string | null> {
  const cache = await ConvertedCache.open(cacheDir, host);
  try {
    return (await cache.find('r.json'))?.path ?? null;
  } finally {
    cache.close();
  }
}

test('is a folder of the user’s own, which nobody else may write', async () => {
  const before = process.umask(0o002);
  try {
    const cache = await ConvertedCache.open(cacheDir, systemHost);
    await cache.remember('r.json', known);
    cache.close();
  } finally {
    process.umask(before);
  }
  expect((await stat(own)).mode & 0o777).toBe(0o755);
  expect((await stat(cacheDir)).mode & 0o1022).toBe(0o1020); // others may make theirs, and not remove this one
  expect((await stat(join(own, 'r.json'))).mode & 0o777).toBe(0o644);
  expect(await readdir(own)).toEqual(['r.json']);
  expect(await descriptorsOf(cacheDir)).toBe(0);
});

test('gives what is remembered while record and image are sound', async () => {
  await filled(own);
  expect(await found()).toBe(join(own, NDZ));
  await writeFile(join(own, NDZ), 'no image');
  expect(await found()).toBeNull();
});

describe('what others may have written is not believed', () => {
  const cases: [string, () => Promise<void>][] = [
    ['a record that others may write', () => chmod(join(own, 'r.json'), 0o664)],
    ['an image that others may write', () => chmod(join(own, NDZ), 0o666)],
    ['an image with another name elsewhere', () => link(join(own, NDZ), join(cacheDir, 'elsewhere'))],
    [
      'a link to an image',
      async () => {
        await rename(join(own, NDZ), join(cacheDir, 'elsewhere'));
        await symlink(join(cacheDir, 'elsewhere'), join(own, NDZ));
      },
    ],
    ['a record that leads out of the folder', () => writeFile(join(own, 'r.json'), JSON.stringify({ ...known, ndz: '../x.ndz' }))],
    ['notes that are no texts', () => writeFile(join(own, 'r.json'), JSON.stringify({ ...known, notes: [{}] }))],
  ];
  test.each(cases)('%s', async (_, change) => {
    await filled(own);
    expect(await found()).toBe(join(own, NDZ));
    await change();
    expect(await found()).toBeNull();
  });

  test.runIf(isRoot).each([NDZ, 'r.json'])('somebody else’s %s (needs root)', async (name) => {
    await filled(own);
    await lchown(join(own, name), OTHER, OTHER);
    expect(await found()).toBeNull();
  });
});

describe('a folder in the place of one’s own is refused', () => {
  const refused = async (words: string): Promise<void> => {
    await expect(ConvertedCache.open(cacheDir, systemHost)).rejects.toThrow(
      expect.objectContaining({ code: 'cache-unusable', message: expect.stringContaining(words) as unknown }),
    );
    expect(await descriptorsOf(cacheDir)).toBe(0);
  };

  test('a link to one', async () => {
    await mkdir(join(cacheDir, 'mine'), { recursive: true });
    await symlink('mine', own);
    await refused(`${own}, is no folder`);
  });

  test('one that others may write', async () => {
    await filled(own);
    await chmod(own, 0o777);
    await refused(`${own}, may be written by others`);
  });

  test.runIf(isRoot)('somebody else’s (needs root)', async () => {
    await filled(own);
    await lchown(own, OTHER, OTHER);
    await refused(`${own}, is uid ${OTHER}'s`);
    await rm(own, { recursive: true });
    await lchown(cacheDir, OTHER, OTHER);
    await refused(`${cacheDir}, is uid ${OTHER}'s`);
  });
});

test.runIf(isRoot)('a user has what root converted, and nobody else’s (needs root)', async () => {
  await filled(join(cacheDir, '0'));
  await mkdir(join(cacheDir, String(OTHER)));
  await lchown(join(cacheDir, String(OTHER)), OTHER, OTHER);
  const host = { ...systemHost, uid: () => OTHER };
  expect(await found(host)).toBe(join(cacheDir, '0', NDZ));
  await chmod(join(cacheDir, '0'), 0o777);
  expect(await found(host)).toBeNull();
  await chmod(cacheDir, 0o2775);
  await expect(ConvertedCache.open(cacheDir, host)).rejects.toThrow(expect.objectContaining({ hint: `sudo chmod +t ${cacheDir}` }));
});

test('forgets what killed processes left, and what was kept in the common folder long ago', async () => {
  const cache = await ConvertedCache.open(cacheDir, systemHost);
  await writeFile(cache.unfinished('live'), 'x');
  const live = await readdir(own);
  await writeFile(join(own, '.x.ndz.00000000-99-1.0123456789abcdef.tmp'), 'x');
  await utimes(join(own, '.x.ndz.00000000-99-1.0123456789abcdef.tmp'), 1000, 1000);
  await writeFile(join(cacheDir, NDZ), 'x');
  await utimes(join(cacheDir, NDZ), 1000, 1000);
  cache.close();
  (await ConvertedCache.open(cacheDir, systemHost)).close();
  expect(await readdir(own)).toEqual(live);
  expect(await readFile(join(own, live[0] ?? ''), 'utf8')).toBe('x');
  expect(await readdir(cacheDir)).toEqual([String(systemHost.uid())]);
});
