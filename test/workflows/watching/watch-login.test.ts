import { expect, test } from 'vitest';
import { parseSystem } from '../../../src/workflows/watching/watch-login.js';

const BOOT = '9f1b6c2e-0d3a-4b5c-8d7e-0123456789ab\n1234.56 100.00\n';

test('boot, system and the last line of the stamp', () => {
  const text = `motd\n${BOOT}NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n# a comment\nID=ubuntu\n\n2026-01-01@10:00 - node fit01 - image old - by bob\n2026-11-26@05:00 - node fit07 - image mine - by alice\n`;
  expect(parseSystem(text, 2_000_000)).toEqual({
    bootId: '9f1b6c2e-0d3a-4b5c-8d7e-0123456789ab',
    bootedAt: 765_000,
    osRelease: 'Ubuntu 24.04 LTS',
    image: '2026-11-26@05:00 - node fit07 - image mine - by alice',
  });
});

test('no stamp, no pretty name, no Linux', () => {
  expect(parseSystem(`${BOOT}NAME=Alpine\n`, 2_000_000)).toMatchObject({ osRelease: 'Alpine', image: null });
  expect(parseSystem(BOOT, 2_000_000)).toMatchObject({ osRelease: null, image: null });
  expect(parseSystem('', 0)).toEqual({ bootId: null, bootedAt: null, osRelease: null, image: null });
});

test('what a node says cannot paint a screen, nor fill one', () => {
  const { osRelease, image } = parseSystem(`${BOOT}PRETTY_NAME="\u001b[2Jx"\n${'y'.repeat(10_000)}\n`, 0);
  expect(osRelease).toBe('[2Jx');
  expect(image).toHaveLength(200);
});
