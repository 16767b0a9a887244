import { expect, test } from 'vitest';
import { holdsControls, imageOfLine, isStampLine, stampLine } from '../../src/images/stamp.js';

const stamp = {
  savedAtMs: new Date(2026, 10, 21, 1, 16).getTime(),
  node: 'fit07',
  image: 'my - set',
  by: 'ann',
  base: null,
  comment: null,
};

test('is the line that has been written for years, with base and comment behind', () => {
  expect(stampLine(stamp)).toBe('2026-11-21@01:16 - node fit07 - image my - set - by ann');
  expect(stampLine({ ...stamp, comment: 'it - works' })).toBe('2026-11-21@01:16 - node fit07 - image my - set - by ann - it - works');
  const second = stampLine({ ...stamp, image: 'next', base: stampLine(stamp), comment: 'c' });
  expect(second).toBe('2026-11-21@01:16 - node fit07 - image next - by ann - from my - set - c');
  expect(isStampLine(second)).toBe(true);
  expect(imageOfLine(second)).toBe('next');
});

test.each([
  ['2016-05-28@08:20 - node fit38 - image ubuntu-16 - by root', 'ubuntu-16'],
  ['2026-11-21@01:16 - node none - image demo - by imaging', 'demo'],
  ['2016-05-28@08:20 - node fit38 - image old', 'old'],
])('reads %s', (line, image) => {
  expect(isStampLine(line)).toBe(true);
  expect(imageOfLine(line)).toBe(image);
});

test('takes nothing else a terminal shows for one', () => {
  for (const line of [
    '',
    '/ # tail -n 1 /mnt/etc/imaging-image',
    "tail: can't open '/mnt'",
    'x 2016-05-28@08:20 - node fit38 - image a - by b',
  ])
    expect(isStampLine(line)).toBe(false);
});

test('knows what would end a line or drive a terminal', () => {
  for (const text of ['a\nb', '\r', '\t', '\0', '\u001b[m', '\u007f', '\u009b', '\u2028', 'caf\ufffd'])
    expect(holdsControls(text)).toBe(true);
  for (const text of ['', `"; rm -rf / #`, 'naïve', '値', '😀', "it's \\n"]) expect(holdsControls(text)).toBe(false);
});
