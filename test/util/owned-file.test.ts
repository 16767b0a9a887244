import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemHost } from '../../src/util/host.js';
import { isBelieved, loginOf, readOwned } from '../../src/util/owned-file.js';
import { scratch } from '../helpers/cli.js';

const me = systemHost.uid();

test.each([
  ['ours', { uid: 1000 }, true],
  ["root's", { uid: 0 }, true],
  ["somebody else's", { uid: 1001 }, false],
  ['ours, but its group may write it', { uid: 1000, mode: 0o100664 }, false],
  ['ours, but everybody may write it', { uid: 1000, mode: 0o100646 }, false],
  ['ours, but it has another name as well', { uid: 1000, nlink: 2 }, false],
])('a file that is %s', (_, stats, believed) => {
  expect(isBelieved({ mode: 0o100644, nlink: 1, ...stats }, 1000)).toBe(believed);
});

describe('a record', () => {
  test('is read with whose it is', () => {
    const path = join(scratch(), 'x');
    writeFileSync(path, 'text', { mode: 0o644 });
    expect(readOwned(path, me)).toMatchObject({ text: 'text', uid: me, believed: true });
    expect(readOwned(path, me, 3)).toBeNull();
    chmodSync(path, 0o666);
    expect(readOwned(path, me)).toMatchObject({ believed: false });
    linkSync(path, `${path}2`);
    chmodSync(path, 0o644);
    expect(readOwned(`${path}2`, me)).toMatchObject({ believed: false });
  });

  test('is none as a link, a folder, a pipe, or missing', () => {
    const dir = scratch();
    writeFileSync(join(dir, 'real'), 'text');
    symlinkSync('real', join(dir, 'link'));
    mkdirSync(join(dir, 'folder'));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    for (const name of ['link', 'folder', 'pipe', 'nothing', 'real/x']) expect(readOwned(join(dir, name), me), name).toBeNull();
  });

  test.skipIf(me !== 0)('of another user is not believed (needs root to make one)', () => {
    const path = join(scratch(), 'x');
    writeFileSync(path, 'text');
    chownSync(path, 54_321, 54_321);
    expect(readOwned(path, me)).toMatchObject({ uid: 54_321, believed: false });
    expect(readOwned(path, 54_321)).toMatchObject({ believed: true });
  });
});

test('logins are those of the passwd file; the first name of a number counts', () => {
  const file = join(scratch(), 'passwd');
  writeFileSync(file, 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n+nis\nalice:x:1000:1000::/home/alice:/bin/sh\n');
  expect([0, 1000, 1001].map((uid) => loginOf(uid, file))).toEqual(['root', 'alice', 'uid 1001']);
});
