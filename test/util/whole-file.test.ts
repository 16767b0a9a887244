import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HeldFolder } from '../../src/util/held-folder.js';
import { systemHost } from '../../src/util/host.js';
import { unfinishedIn, unfinishedName, writeWhole, writeWholeSync } from '../../src/util/whole-file.js';
import { scratch } from '../helpers/cli.js';

const ways = [
  ['at once', async (...args: Parameters<typeof writeWholeSync>) => writeWholeSync(...args)],
  ['off the event loop', writeWhole],
] as const;

describe.each(ways)('a whole file, %s', (_, write) => {
  test('is there with its mode, and nothing beside it', async () => {
    const dir = scratch();
    await write(join(dir, 'x.json'), 'one', { mode: 0o640 });
    await write(join(dir, 'x.json'), 'twö', { mode: 0o600 });
    expect(readFileSync(join(dir, 'x.json'), 'utf8')).toBe('twö');
    expect(statSync(join(dir, 'x.json')).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['x.json']);
  });

  test('takes the place of a link instead of following it', async () => {
    const dir = scratch();
    writeFileSync(join(dir, 'secret'), 'mine');
    symlinkSync('secret', join(dir, 'x.json'));
    await write(join(dir, 'x.json'), 'new');
    expect(lstatSync(join(dir, 'x.json')).isFile()).toBe(true);
    expect(readFileSync(join(dir, 'secret'), 'utf8')).toBe('mine');
  });

  test('is not written through a folder that has become a link', async () => {
    const dir = scratch();
    mkdirSync(join(dir, 'elsewhere'));
    symlinkSync('elsewhere', join(dir, 'nodes'));
    await expect(write(join(dir, 'nodes/x.json'), 'x', { follow: false })).rejects.toThrow(/ENOTDIR|ELOOP/);
    expect(readdirSync(join(dir, 'elsewhere'))).toEqual([]);
  });

  test('leaves nothing when it cannot take its place, and names the folder as it was given', async () => {
    const dir = scratch();
    mkdirSync(join(dir, 'x.json/inside'), { recursive: true });
    const error: unknown = await write(join(dir, 'x.json'), 'x').then(
      () => null,
      (problem: unknown) => problem,
    );
    expect(String(error)).toContain(join(dir, 'x.json'));
    expect(String(error)).not.toContain('/proc/self');
    expect(readdirSync(dir)).toEqual(['x.json']);
  });
});

describe('a folder that is held', () => {
  test('stays the same when its path is made to mean another one', () => {
    const dir = scratch();
    mkdirSync(join(dir, 'real'));
    mkdirSync(join(dir, 'trap'));
    const folder = HeldFolder.open(join(dir, 'real'), { follow: false });
    renameSync(join(dir, 'real'), join(dir, 'away'));
    symlinkSync('trap', join(dir, 'real'));
    writeFileSync(folder.at('x'), '1');
    folder.close();
    expect([readdirSync(join(dir, 'away')), readdirSync(join(dir, 'trap'))]).toEqual([['x'], []]);
  });
});

describe('unfinished files', () => {
  test('have names that differ each time', () => {
    expect(new Set(Array.from({ length: 100 }, () => unfinishedName('x'))).size).toBe(100);
  });

  test('of processes that are gone are told apart from those of ones that live, and of other machines', () => {
    const dir = scratch();
    const [, here] = /^\.x\.ndz\.([0-9a-f]{8})-/.exec(unfinishedName('x.ndz')) ?? [];
    const gone = `.x.ndz.${here}-4194304-12.00ff.tmp`; // no process has this number: the kernel's limit is below
    const foreign = '.x.ndz.0123abcd-4194304-12.00ff.tmp';
    const old = '.y.ndz.0123abcd-4194304-12.00ff.tmp';
    const others = ['x.ndz', '.x.ndz.sha256', '.x.tmp', '..0123abcd-1-1.ff.tmp'];
    for (const name of [gone, foreign, old, unfinishedName('x.ndz'), ...others]) writeFileSync(join(dir, name), '');
    utimesSync(join(dir, old), 1, 1);
    expect(unfinishedIn(dir, systemHost.now()).sort()).toEqual([join(dir, gone), join(dir, old)].sort());
    expect(unfinishedIn(dir, systemHost.now(), 'x.ndz')).toEqual([join(dir, gone)]);
    chmodSync(dir, 0o700);
    expect(unfinishedIn(join(dir, 'nothing'), 0)).toEqual([]);
  });
});
