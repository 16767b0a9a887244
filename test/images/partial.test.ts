import { readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { PARTIAL_NAME_BYTES, partialPath, sweepPartials } from '../../src/images/partial.js';
import { systemHost } from '../../src/util/host.js';
import { temporaryFolder } from '../ndz/images.js';

it('removes what dead processes left, and nothing of the living or of other machines', async () => {
  const dir = await temporaryFolder();
  const mine = partialPath(join(dir, 'a.ndz'), systemHost);
  const dead = mine.replace(`-${systemHost.pid}-`, '-4194399-');
  const reused = mine.replace(/-\d+\.partial$/, '-1.partial');
  const elsewhere = partialPath(join(dir, 'b.ndz'), systemHost).replace(/\.[0-9a-f]{8}-/, '.00000000-');
  const longAgo = partialPath(join(dir, 'c.ndz'), systemHost).replace(/\.[0-9a-f]{8}-/, '.00000000-');
  const others = [join(dir, 'd.ndz.partial'), join(dir, 'e.partial'), join(dir, 'f.ndz')];
  for (const path of [mine, dead, reused, elsewhere, longAgo, ...others]) await writeFile(path, 'x');
  const before = Date.now() / 1000 - 25 * 3600;
  await utimes(longAgo, before, before);
  expect((await sweepPartials(dir, systemHost)).sort()).toEqual([dead, reused, longAgo].sort());
  expect((await readdir(dir)).sort()).toEqual([mine, elsewhere, ...others].map((path) => basename(path)).sort());
});

it('has a name that fits the room kept for it', () => {
  expect(partialPath('', { pid: process.pid }).length).toBeLessThanOrEqual(PARTIAL_NAME_BYTES);
});

it('of a folder that is not there removes nothing', async () => {
  expect(await sweepPartials(join(await temporaryFolder(), 'none'), systemHost)).toEqual([]);
});
