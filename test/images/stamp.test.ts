import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, onTestFinished } from 'vitest';
import { makeDemoImage } from '../../src/testbed/demo-image.js';
import { lastLine, parseStamp, stampOfImage } from '../../src/images/stamp.js';

test.each([
  [
    '2026-11-21@08:20 - node fit38 - image fedora-21 - by alice',
    { savedAt: '2026-11-21@08:20', node: 'fit38', image: 'fedora-21', by: 'alice', comment: null },
  ],
  [
    '2016-05-28@08-20 - node fit38 - image a - b - by bob - with - dashes',
    { savedAt: '2016-05-28@08-20', node: 'fit38', image: 'a - b', by: 'bob', comment: 'with - dashes' },
  ],
  ['fedora-21', null],
  ['2026-11-21@08:20 - node fit38 - image x', null],
  ['', null],
])('a stamp of %j', (line, stamp) => {
  expect(parseStamp(line)).toEqual(stamp);
});

test('the last line that says something counts, without what would trouble a terminal', () => {
  expect(lastLine('first\nlast\x1b[2J\r\n\n  \n')).toBe('last [2J');
  expect([lastLine(''), lastLine('\n \n')]).toEqual([null, null]);
});

test('the stamp of an image is read out of its file system', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'imaging-stamp-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const { ndzPath, hasFileSystem } = await makeDemoImage(dir, { sizeBytes: 4 << 20 });
  const stamp = await stampOfImage(ndzPath);
  expect(hasFileSystem ? parseStamp(stamp ?? '') : stamp).toEqual(
    hasFileSystem ? { savedAt: expect.any(String), node: 'none', image: 'demo', by: 'imaging', comment: null } : null,
  );
});
