import { describe, expect, test } from 'vitest';
import { minSuccess } from '../../../src/cli/nodes/min-success.js';

describe('--min-success', () => {
  test.each<[string | undefined, number, number | null]>([
    [undefined, 12, null],
    ['100%', 12, 12],
    ['90%', 12, 11],
    ['0.5%', 12, 1],
    ['12', 12, 12],
    ['1', 12, 1],
  ])('%s of %i nodes is %s', (value, total, expected) => {
    expect(minSuccess(value, total)).toBe(expected);
  });

  test.each(['0', '13', '1.5', '0%', '101%', 'most', '-1', '90 %'])('%s of 12 nodes is refused, with what is allowed', (value) => {
    expect(() => minSuccess(value, 12)).toThrow(
      `--min-success: ${JSON.stringify(value)} is neither a percentage up to 100% nor a number of nodes up to 12`,
    );
  });
});
