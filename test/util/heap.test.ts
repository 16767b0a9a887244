import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { smallHeapFlag } from '../../src/util/heap.js';

/** Much that lives for a while, as in a load of many nodes. */
const script = `
  const lives = [];
  for (let round = 0; round < 4000; round++) {
    lives.push(Array.from({ length: 1e3 }, (_, index) => ({ index, text: 'x' + index })));
    if (lives.length > 200) lives.shift();
  }
`;

/** How often the old part of the heap was collected. */
function collections(flags: readonly string[]): number {
  const trace = execFileSync(process.execPath, ['--trace-gc', ...flags, '-e', script], { encoding: 'utf8' });
  return trace.split('\n').filter((line) => line.includes('Mark-Compact')).length;
}

test('with the flag, what has lived for a while is collected sooner', () => {
  const flag = smallHeapFlag(process.versions.v8);
  if (flag === null) throw new Error('a new version of V8: look whether it has the flag, and add it to those that are known');
  expect(collections([flag])).toBeGreaterThan(collections([]));
});

test('a version of V8 that nobody has tried gets no flag that it may not know', () => {
  expect(smallHeapFlag('11.3.244.8-node.33')).toBe('--heap-growing-percent=40');
  expect(smallHeapFlag('99.1.2')).toBeNull();
});
