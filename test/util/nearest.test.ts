import { expect, it } from 'vitest';
import { nearestNames } from '../../src/util/nearest.js';

it.each([
  ['fedora-22', ['ubuntu', 'fedora-21', 'fedora-23'], ['fedora-21', 'fedora-23']],
  ['Fedora', ['fedora', 'fedora-21'], ['fedora', 'fedora-21']],
  ['gnuradio', ['ubuntu-gnuradio', 'gnuradoi', 'x'], ['gnuradoi', 'ubuntu-gnuradio']],
  ['demo', ['demo1', 'demo2', 'demo3', 'demo4', 'demo1'], ['demo1', 'demo2', 'demo3']],
  ['abc', ['xyz', ''], []],
  ['', ['a'], []],
])('%s among %j', (word, names, nearest) => {
  expect(nearestNames(word, names)).toEqual(nearest);
});
