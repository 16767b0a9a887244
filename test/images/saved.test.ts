import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isImageFile, parseSavedName, radicalOf, savedName } from '../../src/images/saved.js';

test.each([
  ['saving__fit07__2026-11-21@01-16__my-setup', { node: 'fit07', date: '2026-11-21@01-16', radical: 'my-setup' }],
  ['saving__fit07__2026-11-21@01-16-2__my__setup', { node: 'fit07', date: '2026-11-21@01-16-2', radical: 'my__setup' }],
  ['saving==fit07==2016-05-28@08:20==ubuntu', { node: 'fit07', date: '2016-05-28@08:20', radical: 'ubuntu' }],
  ['saving--fit07--2016-05-28@08-20--u-16', { node: 'fit07', date: '2016-05-28@08-20', radical: 'u-16' }],
  ['fit01=2015-11-25@10:30=image', { node: 'fit01', date: '2015-11-25@10:30', radical: 'image' }],
  ['fedora-21', null],
  ['saving__fit07__yesterday__x', null],
  ['saving__fit07__2026-11-21@01-16__', null],
])('%s is taken apart', (name, expected) => {
  expect(parseSavedName(name)).toEqual(expected);
  expect(radicalOf(name)).toBe(expected?.radical ?? name);
});

test('any name that is given comes back', () => {
  const names = fc.string({ minLength: 1, unit: 'grapheme' }).filter((name) => !/[\p{Cc}\p{Zl}\p{Zp}/]/u.test(name));
  fc.assert(
    fc.property(names, fc.integer({ min: 1, max: 99 }), fc.integer({ min: 0, max: 4_000_000_000_000 }), (name, nth, atMs) => {
      expect(parseSavedName(savedName('fit07', atMs, name, nth))).toMatchObject({ node: 'fit07', radical: name });
    }),
  );
});

test('tells images from what lies beside them', () => {
  const names = [
    'a.ndz',
    'b.raw',
    'c.img.xz',
    'd.ndz.gz',
    '.e.ndz',
    'f.ndz.sha256',
    'f.ndz.json',
    'g.ndz.0a-1-2.partial',
    'h.tar.gz',
    'i.bmap',
    '.img',
    'notes.txt',
  ];
  expect(names.filter(isImageFile)).toEqual(['a.ndz', 'b.raw', 'c.img.xz', 'd.ndz.gz']);
});
