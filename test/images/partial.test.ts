import { link, readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { partialPath, sweepUnfinished } from '../../src/images/saved.js';
import { systemHost } from '../../src/util/host.js';
import { temporaryFolder } from '../helpers/images.js';

const DEAD = '-4194399-';
const dying = (path: string): string => path.replace(`-${systemHost.pid}-`, DEAD);

test('removes what dead processes left, and nothing of the living or of other machines', async () => {
  const dir = await temporaryFolder();
  const mine = partialPath(join(dir, 'a.ndz'));
  const dead = dying(partialPath(join(dir, 'a.ndz')));
  const deadSide = dying(partialPath(join(dir, 'saving__fit01__2026-11-21@01-16__x.ndz.sha256')));
  const reused = partialPath(join(dir, 'a.ndz')).replace(/-\d+-\d+\./, '-1-1.');
  const ofBoot = (path: string): string => path.replace(/\.[0-9a-f]{8}-/, '.00000000-');
  const [elsewhere, longAgo] = [ofBoot(partialPath(join(dir, 'b.ndz'))), ofBoot(partialPath(join(dir, 'c.ndz')))];
  const others = [join(dir, '.d.ndz.tmp'), join(dir, 'e.tmp'), join(dir, 'f.ndz')];
  for (const path of [mine, dead, deadSide, reused, elsewhere, longAgo, ...others]) await writeFile(path, 'x');
  const before = Date.now() / 1000 - 25 * 3600;
  await utimes(longAgo, before, before);
  expect((await sweepUnfinished(dir, Date.now(), { dryRun: true })).sort()).toEqual([dead, deadSide, reused, longAgo].sort());
  expect((await sweepUnfinished(dir, Date.now())).sort()).toEqual([dead, deadSide, reused, longAgo].sort());
  expect((await readdir(dir)).sort()).toEqual([mine, elsewhere, ...others].map((path) => basename(path)).sort());
});

test('removes the side files of an image that never got its name, and those of no other', async () => {
  const dir = await temporaryFolder();
  const half = dying(partialPath(join(dir, 'half.ndz.sha256'))); // killed between its side files and the image
  await writeFile(half, 'x');
  await link(half, join(dir, 'half.ndz.sha256'));
  const whole = dying(partialPath(join(dir, 'whole.ndz.json'))); // killed right after
  await writeFile(whole, 'x');
  await link(whole, join(dir, 'whole.ndz.json'));
  await writeFile(join(dir, 'whole.ndz'), 'x');
  await writeFile(dying(partialPath(join(dir, 'other.ndz.json'))), 'x'); // what has the name is somebody else's
  await writeFile(join(dir, 'other.ndz.json'), 'x');
  await sweepUnfinished(dir, Date.now());
  expect((await readdir(dir)).sort()).toEqual(['other.ndz.json', 'whole.ndz', 'whole.ndz.json']);
});

test('has a name that a file can have, however long the image’s is', async () => {
  const dir = await temporaryFolder();
  const path = partialPath(join(dir, `${'é'.repeat(120)}.ndz.sha256`));
  await writeFile(path, 'x');
  await writeFile(dying(partialPath(join(dir, `${'é'.repeat(120)}.ndz.sha256`))), 'x');
  expect(await sweepUnfinished(dir, Date.now())).toHaveLength(1);
  expect(await readdir(dir)).toEqual([basename(path)]);
});

test('of a folder that is not there removes nothing', async () => {
  expect(await sweepUnfinished(join(await temporaryFolder(), 'none'), Date.now())).toEqual([]);
});
