import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FAULT_KINDS } from '../../src/testbed/fault.js';

test('docs/testbed.md lists every fault there is, and no other', () => {
  const text = readFileSync(new URL('../../docs/testbed.md', import.meta.url), 'utf8');
  const listed = [...text.matchAll(/^\| `([a-z-]+)/gm)].map((match) => match[1]);
  expect(listed).toEqual(Object.keys(FAULT_KINDS));
});
