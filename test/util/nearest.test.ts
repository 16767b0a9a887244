import { describe, expect, test } from 'vitest';
import { editDistance, nearest, nearestNames } from '../../src/util/nearest.js';

test.each([
  ['fedora-22', ['ubuntu', 'fedora-21', 'fedora-23'], ['fedora-21', 'fedora-23']],
  ['Fedora', ['fedora', 'fedora-21'], ['fedora', 'fedora-21']],
  ['gnuradio', ['ubuntu-gnuradio', 'gnuradoi', 'x'], ['gnuradoi', 'ubuntu-gnuradio']],
  ['demo', ['demo1', 'demo2', 'demo3', 'demo4', 'demo1'], ['demo1', 'demo2', 'demo3']],
  ['abc', ['xyz', ''], []],
  ['', ['a'], []],
])('%s among %j', (word, names, nearest) => {
  expect(nearestNames(word, names)).toEqual(nearest);
});

describe('the nearest name', () => {
  test('is found over a few typing mistakes, and not further', () => {
    const names = ['bandwidth', 'telnet_port', 'ssh_port'];
    expect(nearest('bandwith', names)).toBe('bandwidth');
    expect(nearest('sshport', names)).toBe('ssh_port');
    expect(nearest('telnetport', names)).toBe('telnet_port');
    expect(nearest('images_dir', names)).toBeNull();
    expect(nearest('x'.repeat(10_000), names)).toBeNull();
  });

  test('is counted in edits', () => {
    expect([editDistance('', ''), editDistance('', 'abc'), editDistance('kitten', 'sitting'), editDistance('ab', 'ba')]).toEqual([
      0, 3, 3, 2,
    ]);
  });
});
