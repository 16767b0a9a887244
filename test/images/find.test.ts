import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { findCandidates, findImage, placesFor } from '../../src/images/find.js';
import { UserError } from '../../src/util/errors.js';
import { temporaryFolder } from '../helpers/images.js';

let cwd: string;
let imagesDir: string;
const find = (name: string): ReturnType<typeof findImage> => findImage(name, { imagesDir, cwd });

beforeEach(async () => {
  const folder = await temporaryFolder();
  [cwd, imagesDir] = [join(folder, 'here'), join(folder, 'images')];
  for (const dir of [cwd, imagesDir, join(cwd, 'sub'), join(imagesDir, 'users'), join(imagesDir, 'dir.ndz')]) await mkdir(dir);
  const files = [
    'fedora-21.ndz',
    'fedora-23.ndz',
    'ubuntu-14.10.ndz',
    'plain',
    'users/mine.ndz',
    'both.ndz',
    'debian.img.xz',
    'arch.raw',
    'arch.ndz',
  ];
  for (const file of files) await writeFile(join(imagesDir, file), 'x');
  for (const file of ['both.ndz', 'local.ndz', 'sub/deep.ndz']) await writeFile(join(cwd, file), 'yy');
  await symlink('fedora-21.ndz', join(imagesDir, 'default.ndz'));
  await symlink('gone.ndz', join(imagesDir, 'broken.ndz'));
});

describe('an image is found', () => {
  test('in the current folder only when it is asked for: the default is not somebody else’s file of that name', async () => {
    await writeFile(join(cwd, 'default.ndz'), 'planted');
    const path = async (asked: string | undefined): Promise<string> =>
      (await findImage('default.ndz', placesFor(asked, { imagesDir, cwd }))).path;
    expect([await path(undefined), await path('default.ndz')]).toEqual([join(imagesDir, 'default.ndz'), join(cwd, 'default.ndz')]);
  });

  test.each<[string, () => string, string]>([
    ['by name', () => 'fedora-21', 'images/fedora-21.ndz'],
    ['by file name', () => 'fedora-21.ndz', 'images/fedora-21.ndz'],
    ['by a name with dots in it', () => 'ubuntu-14.10', 'images/ubuntu-14.10.ndz'],
    ['by the name of a file without .ndz', () => 'plain', 'images/plain'],
    ['by a name that other images have', () => 'debian', 'images/debian.img.xz'],
    ['by such a file name', () => 'debian.img.xz', 'images/debian.img.xz'],
    ['as .ndz first', () => 'arch', 'images/arch.ndz'],
    ['by its alias', () => 'default', 'images/default.ndz'],
    ['below the images folder', () => 'users/mine', 'images/users/mine.ndz'],
    ['by absolute path', () => join(imagesDir, 'fedora-21.ndz'), 'images/fedora-21.ndz'],
    ['by absolute path without .ndz', () => join(cwd, 'local'), 'here/local.ndz'],
    ['by relative path', () => './local', 'here/local.ndz'],
    ['by relative path, deeper', () => 'sub/deep.ndz', 'here/sub/deep.ndz'],
    ['by relative path, upwards', () => '../images/fedora-21', 'images/fedora-21.ndz'],
    ['by the file name of one in the current folder', () => 'local.ndz', 'here/local.ndz'],
    ['in the current folder first, by file name', () => 'both.ndz', 'here/both.ndz'],
    ['in the images folder alone, by bare name', () => 'both', 'images/both.ndz'],
  ])('%s', async (_, name, path) => {
    expect((await find(name())).path).toBe(join(cwd, '..', path));
  });

  test('with name, size, date and the file behind a link', async () => {
    const image = await find('default');
    expect(image).toMatchObject({
      name: 'default',
      path: join(imagesDir, 'default.ndz'),
      realPath: join(imagesDir, 'fedora-21.ndz'),
      sizeBytes: 1,
    });
    expect(Math.abs(Date.now() - image.mtimeMs)).toBeLessThan(60_000);
  });

  test('in an images folder that is relative to the current one', async () => {
    expect((await findImage('fedora-21', { imagesDir: '../images', cwd })).path).toBe(join(imagesDir, 'fedora-21.ndz'));
  });
});

describe('an image that somebody saved', () => {
  const saved = async (path: string, ageSeconds: number): Promise<string> => {
    await writeFile(path, 'x');
    const atSeconds = Date.now() / 1000 - ageSeconds;
    await utimes(path, atSeconds, atSeconds);
    return path;
  };

  test('is found by what they called it, the newest of the current and the images folder', async () => {
    const older = await saved(join(imagesDir, 'saving__fit02__2026-11-21@01-16__setup.ndz'), 20);
    const oldest = await saved(join(cwd, 'saving==fit09==2016-05-28@08:20==setup.ndz'), 30);
    const newest = await saved(join(cwd, 'saving__fit01__2026-11-20@01-16__setup.ndz'), 10);
    await saved(join(imagesDir, 'saving__fit02__2026-11-21@01-16__setup-2.ndz'), 1);
    expect((await find('setup')).path).toBe(newest);
    expect((await find('setup.ndz')).path).toBe(newest);
    expect((await findCandidates('setup', { imagesDir, cwd })).map(({ path }) => path)).toEqual([newest, older, oldest]);
    await saved(older, 5);
    expect((await find('setup')).path).toBe(older);
  });

  test('gives way to one that is shared under that name', async () => {
    const path = await saved(join(cwd, 'saving__fit01__2026-11-20@01-16__fedora-21.ndz'), 0);
    expect((await find('fedora-21')).path).toBe(join(imagesDir, 'fedora-21.ndz'));
    expect((await findCandidates('fedora-21', { imagesDir, cwd })).map(({ path: each }) => each)).toEqual([
      join(imagesDir, 'fedora-21.ndz'),
      path,
    ]);
  });

  test('is not meant by a path', async () => {
    await saved(join(cwd, 'saving__fit01__2026-11-20@01-16__setup.ndz'), 0);
    await expect(find('./setup')).rejects.toThrow('not found');
  });
});

describe('an image that is not there', () => {
  const refused = async (name: string): Promise<UserError> => {
    const error: unknown = await find(name).catch((reason: unknown) => reason);
    if (!(error instanceof UserError)) throw new Error(`${name} was found`);
    expect(error.kind).toBe('environment');
    return error;
  };

  test('is answered with names like it', async () => {
    const { message, hint } = await refused('fedora-22');
    expect(message).toBe(`image fedora-22 not found in ${imagesDir}`);
    expect(hint).toBe('did you mean fedora-21, fedora-23?');
    expect((await refused('ubuntu')).hint).toBe('did you mean ubuntu-14.10?');
    expect((await refused('defualt')).hint).toContain('default');
    expect((await refused('zzzzzzzzz')).hint).toBe('imaging-list shows the images there are');
  });

  test('tells all places that were looked at', async () => {
    expect((await refused('sub/none')).message).toBe(`image sub/none not found in ${join(cwd, 'sub')} nor in ${join(imagesDir, 'sub')}`);
    expect((await refused('none.ndz')).message).toBe(`image none.ndz not found in ${cwd} nor in ${imagesDir}`);
  });

  test('but lies in the current folder is pointed out, not loaded', async () => {
    expect((await refused('local')).hint).toBe('there is ./local.ndz in the current folder: to load it say ./local');
  });

  test('since its link is broken says so', async () => {
    expect((await refused('broken')).message).toBe(`image ${join(imagesDir, 'broken.ndz')} is a broken link to gone.ndz`);
  });

  test('since it is a folder, or nothing', async () => {
    expect((await refused('dir')).message).toContain('not found');
    expect((await refused('')).message).toBe('no image given');
    expect((await refused('plain/below')).message).toContain('not found');
  });

  test('in a folder that is not there or holds nothing', async () => {
    const nowhere = findImage('x', { imagesDir: join(cwd, 'none'), cwd });
    await expect(nowhere).rejects.toThrow(expect.objectContaining({ kind: 'environment', hint: `${join(cwd, 'none')} holds no image` }));
  });

  test.skipIf(process.getuid?.() === 0)('for this user', async () => {
    await chmod(join(imagesDir, 'plain'), 0);
    expect((await refused('plain')).message).toMatch(/plain cannot be read: EACCES/);
  });
});
