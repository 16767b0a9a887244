import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PxeFolder } from '../../src/pxe/folder.js';
import { ourselves } from '../../src/pxe/who.js';
import { callsAtOnce, callsLater } from '../../src/util/file-calls.js';
import { systemHost } from '../../src/util/host.js';
import { scratch } from '../helpers/cli.js';

const ways = [
  ['of this machine', callsAtOnce],
  ['on a file server', callsLater],
] as const;

describe.each(ways)('the folder of next-boot links, %s', (_, calls) => {
  const open = (): { dir: string; folder: PxeFolder } => {
    const dir = scratch();
    return { dir, folder: new PxeFolder(dir, ourselves(systemHost), calls) };
  };

  test('a file is created once, whole, and for all to read; then read, touched, replaced and removed', async () => {
    const { dir, folder } = open();
    expect(await folder.create('record', 'ours')).toBe(true);
    expect(await folder.create('record', 'theirs')).toBe(false);
    expect(lstatSync(join(dir, 'record')).mode & 0o777).toBe(0o644);
    expect(await folder.read('record')).toMatchObject({ contents: 'ours', uid: systemHost.uid() });
    expect(await folder.touch('record', 'ours')).toBe(true);
    expect(await folder.touch('record', 'our')).toBe(false); // longer than that by now
    expect(await folder.touch('record', 'ours, too')).toBe(false);
    await folder.replace('record', 'newer');
    expect(readFileSync(join(dir, 'record'), 'utf8')).toBe('newer');
    expect([await folder.remove('record'), await folder.remove('record')]).toEqual([true, false]);
    expect(await folder.read('record')).toBeNull();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('a link takes the place of another, and is looked at without being followed', async () => {
    const { dir, folder } = open();
    symlinkSync('elsewhere', join(dir, '01-aa'));
    await folder.placeLink('01-aa', 'pxefrisbee');
    expect(await folder.look('01-aa')).toMatchObject({ type: 'link', target: 'pxefrisbee' });
    expect(await folder.read('01-aa')).toMatchObject({ contents: '' }); // not what it points to
    expect(await folder.look('01-bb')).toEqual({ type: 'none' });
    expect(readdirSync(dir)).toEqual(['01-aa']);
  });

  test('a folder in the place of a file is a failure that says so, and a folder that is missing is told', async () => {
    const { dir, folder } = open();
    mkdirSync(join(dir, 'record'));
    await expect(folder.read('record')).rejects.toMatchObject({ code: 'pxe-failed', message: expect.stringContaining('EISDIR') });
    expect(await folder.look('record')).toEqual({ type: 'other' });
    const missing = new PxeFolder(join(dir, 'none'), ourselves(systemHost), calls);
    await expect(missing.create('record', 'x')).rejects.toMatchObject({ kind: 'environment' });
  });

  test("the server's time is about now", async () => {
    expect(Math.abs((await open().folder.serverTime()) - Date.now())).toBeLessThan(5_000);
  });
});
