import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { looksLikeImage } from '../../src/nodes/image-words.js';
import { fold, foldNames, nodeName } from '../../src/nodes/names.js';
import { MAX_NODES, parseNodeSpecs } from '../../src/nodes/parse.js';
import { selectNodes } from '../../src/nodes/select.js';
import { UserError } from '../../src/util/errors.js';
import { thrown } from '../helpers/thrown.js';

const names = { regularName: 'fit', rebootName: 'reboot' };

/** The selection of a command line where all_scope is 1-37, as folded numbers. */
function select(line: string[], env: { NODES?: string; ALL_NODES?: string } = {}): string {
  const args = line.filter((word) => word !== '-a');
  return fold(selectNodes({ args, allNodes: args.length < line.length, env, allScope: '1-37', names }).numbers);
}

describe('the grammar of node specs', () => {
  test.each([
    ['1', '1'],
    ['004', '4'],
    ['fit01', '1'],
    ['fit1', '1'],
    ['reboot12', '12'],
    ['1-3 8-10', '1-3,8-10'],
    ['fit4-reboot12', '4-12'],
    ['1-12 fit15-reboot18 ~4-6', '1-3,7-12,15-18'],
    ['1-10-2', '1,3,5,7,9'],
    ['4-16-2', '4,6,8,10,12,14,16'],
    ['1-4 7-25-2 ~11-19-4', '1-4,7,9,13,17,21,23,25'],
    ['~4-6 1-12', '1-12'],
    ['1,3,5-7', '1,3,5-7'],
    ['1-5,~3', '1-2,4-5'],
    ['~1-2,5 1-4', '1-5'],
    ['1-10 ~2,~4,7', '1,3,5-10'],
    ['-a ~4', '1-3,5-37'],
    ['~4 -a', '1-3,5-37'],
    ['-a ~1-35', '36-37'],
    ['5-3', ''],
    ['1-3 ~1-3', ''],
    ['3-3', '3'],
    ['0', '0'],
    ['100', '100'],
    ['99-101', '99-101'],
    ['fitfit3', '3'],
    ['fit1fit2', '12'],
    ['1-5 fit~4', '1-3,5'],
    ['~2', ''],
  ])('%s selects %s', (line, folded) => {
    expect(select(line.split(' '))).toBe(folded);
  });

  test('uses NODES only when there is neither an argument nor -a', () => {
    expect(select([], { NODES: '1-4 ~2' })).toBe('1,3-4');
    expect(select(['7'], { NODES: '5' })).toBe('7');
    expect(select(['-a'], { NODES: '1-4' })).toBe('1-37');
    expect(select(['~2'], { NODES: '1-4' })).toBe('');
  });

  test('names every node with its prefix and at least two digits', () => {
    const show = (line: string): string[] => parseNodeSpecs(line.split(' '), names).map((number) => nodeName(number, 'fit'));
    expect(show('0 7 99-101')).toEqual(['fit00', 'fit07', 'fit99', 'fit100', 'fit101']);
  });

  test.each([
    'ubuntu',
    'fedora-21',
    '',
    ',',
    '~',
    '1-',
    '-',
    '1.5',
    '1 2',
    '-5',
    'refit',
    '5-1--1',
    '1_0',
    '+3',
    ' 4',
    '٣',
    '1e3',
    '0x10',
    '~~4',
    'FIT01',
    '1\n',
    '１',
  ])('refuses %j as misformed, naming it', (word) => {
    const error = thrown(UserError, () => parseNodeSpecs(['3', word], names));
    expect(error.kind).toBe('usage');
    expect(error.message).toContain(`"${word.replace('\n', '?')}" is neither a node nor a range`);
  });

  test.each(['ubuntu', 'fedora-21', 'u24', '/tmp/1', 'refit', 'default.ndz'])('asks after -i for %s', (word) => {
    expect(thrown(UserError, () => parseNodeSpecs([word], names)).hint).toContain('did you forget -i?');
  });

  test.each(['1.5', '1-', '~', '1_0', '1 2'])('does not take %j for an image', (word) => {
    expect(thrown(UserError, () => parseNodeSpecs([word], names)).hint).not.toContain('-i?');
  });

  test('refuses a step of 0 and ranges of four parts', () => {
    expect(thrown(UserError, () => parseNodeSpecs(['1-5-0'], names)).message).toBe('"1-5-0" has a step of 0');
    expect(thrown(UserError, () => parseNodeSpecs(['5-1-0'], names)).message).toBe('"5-1-0" has a step of 0');
    expect(thrown(UserError, () => parseNodeSpecs(['1-2-3-4'], names)).message).toContain('has more than three numbers');
  });

  test('refuses more nodes than any testbed has, whatever way they add up', () => {
    expect(parseNodeSpecs([`1-${MAX_NODES}`], names)).toHaveLength(MAX_NODES);
    for (const words of [['1-999999999'], [`0-${MAX_NODES}`], [`1-${MAX_NODES}`, String(MAX_NODES + 1)]]) {
      expect(thrown(UserError, () => parseNodeSpecs(words, names)).message).toContain(
        `"${words.at(-1)}" brings the selection above 100000 nodes`,
      );
    }
    expect(thrown(UserError, () => parseNodeSpecs(['99999999999999999999'], names)).message).toContain('holds a number above');
  });

  test('takes out a range of any size at no cost', () => {
    expect(fold(parseNodeSpecs(['1-10', '~3-999999999'], names))).toBe('1-2');
    expect(fold(parseNodeSpecs(['1-10', '~2-999999999-3'], names))).toBe('1,3-4,6-7,9-10');
  });

  test('keeps a hostile word from breaking the message', () => {
    const { message } = thrown(UserError, () => parseNodeSpecs([`\u001b[2J\u2028${'x'.repeat(5000)}`], names));
    expect(message).not.toMatch(/[\u001b\u2028]/);
    expect(message.length).toBeLessThan(120);
  });
});

describe('set algebra', () => {
  const sets: Record<string, number[]> = { usrp: [3, 9, 1], 'failed:last': [2], 'ok:20261121-0230-fit': [5, 6], none: [] };
  const algebra = (line: string): string => fold(parseNodeSpecs(line.split(' '), names, undefined, (reference) => sets[reference] ?? [99]));

  test.each([
    ['1-12 &4-6', '4-6'],
    ['1-12 and:4-6', '4-6'],
    ['&4-6', ''],
    ['1-12 &2-12-5', '2,7,12'],
    ['1-5 ^4-8', '1-3,6-8'],
    ['1-5 xor:4-8', '1-3,6-8'],
    ['^4-8', '4-8'],
    ['1-3 ^1-3', ''],
    ['1-12 &1-3,5', '1-3,5'],
    ['1-12,&1-6,^6-7,~1', '2-5,7'],
    ['1-12 &fit4-reboot6', '4-6'],
    ['1-12 fit&4', '4'],
    ['1-12 and:fit4-reboot6', '4-6'],
    ['1-9 &5-3', ''],
    ['@usrp', '1,3,9'],
    ['1-12 ~@usrp', '2,4-8,10-12'],
    ['1-12 &@usrp ~@failed:last', '1,3,9'],
    ['1-4 and:@usrp,@failed:last', '1-3'],
    ['1-2 ^@usrp', '2-3,9'],
    ['1-2 &@none', ''],
    ['@ok:20261121-0230-fit', '5-6'],
  ])('%s selects %s', (line, folded) => {
    expect(algebra(line)).toBe(folded);
  });

  test.each(['&', '^', '&&1', '~&1', 'and:', 'and:and:1', '^~1', '&~@usrp'])('refuses %j, naming it', (word) => {
    expect(thrown(UserError, () => parseNodeSpecs(['1', word], names, undefined, () => [])).message).toContain(`"${word}" is neither`);
  });

  test('knows no sets unless it is told what they are', () => {
    expect(thrown(UserError, () => parseNodeSpecs(['@usrp'], names))).toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('@usrp'),
    });
  });

  test('does not take a set or an operator for an image', () => {
    for (const word of ['@failed:last', 'and:1-x', '~@usrp', 'xor:@usrp'])
      expect(looksLikeImage(word, names), word).toBe(word === 'and:1-x');
    expect(looksLikeImage('saving__fit01__2015-11-25@01-16__x', names)).toBe(true);
  });

  test('is bounded whatever sets hold', () => {
    const many = Array.from({ length: MAX_NODES + 1 }, (_, n) => n);
    for (const word of ['@many', '^@many'])
      expect(thrown(UserError, () => parseNodeSpecs([word], names, undefined, () => many)).message).toContain('above 100000 nodes');
    expect(thrown(UserError, () => parseNodeSpecs(['^1-999999999'], names)).message).toContain('above 100000 nodes');
    expect(fold(parseNodeSpecs(['1-9 &3-999999999'.split(' ')].flat(), names))).toBe('3-9');
  });
});

describe('node sets, whatever the numbers', () => {
  const numbers = fc.uniqueArray(fc.nat(2000), { maxLength: 300 });
  const piece = fc.tuple(fc.boolean(), fc.nat(60), fc.option(fc.nat(60)), fc.integer({ min: 1, max: 7 }));

  test('fold and parse are each other’s inverse', () => {
    fc.assert(
      fc.property(numbers, (set) => {
        const folded = fold(set);
        expect(parseNodeSpecs(folded === '' ? [] : [folded], names)).toEqual([...set].sort((a, b) => a - b));
        expect(fold([...set, ...set])).toBe(folded);
      }),
    );
  });

  test('what is taken out last is not there, all else is', () => {
    fc.assert(
      fc.property(numbers, numbers, (put, taken) => {
        const words = [...put.map((n) => `fit${n}`), ...taken.map((n) => `~${n}`)];
        expect(parseNodeSpecs(words, names)).toEqual(put.filter((n) => !taken.includes(n)).sort((a, b) => a - b));
      }),
    );
  });

  test('agrees with set algebra, piece by piece', () => {
    const operators = ['', '~', '&', '^', 'and:', 'xor:'] as const;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...operators), fc.nat(30), fc.nat(30)), { minLength: 1, maxLength: 12 }), (pieces) => {
        let expected = new Set<number>();
        const words = pieces.map(([operator, first, last]) => {
          const other = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
          if (operator === '') expected = new Set([...expected, ...other]);
          else if (operator === '~') expected = new Set([...expected].filter((n) => !other.includes(n)));
          else if (operator === '&' || operator === 'and:') expected = new Set(other.filter((n) => expected.has(n)));
          else expected = new Set([...[...expected].filter((n) => !other.includes(n)), ...other.filter((n) => !expected.has(n))]);
          return `${operator}${first}-${last}`;
        });
        const sorted = [...expected].sort((a, b) => a - b);
        expect(parseNodeSpecs(words, names)).toEqual(sorted);
        expect(parseNodeSpecs([words.join(',')], names)).toEqual(sorted);
        expect(
          parseNodeSpecs(
            words.map((word) => word.replace(/\d+-\d+$/, (range) => `@${range}`)),
            names,
            undefined,
            (range) => parseNodeSpecs([range], names),
          ),
        ).toEqual(sorted);
      }),
    );
  });

  test('host names fold like numbers, odd ones stay', () => {
    expect(foldNames(['fit03', 'fit01', 'fit02', 'fit100', 'gateway'])).toBe('1-3,100,gateway');
    expect(foldNames([])).toBe('');
  });

  test('agrees with the plain reading of the rules, word by word or joined by commas', () => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
        const expected = new Set<number>();
        const words = pieces.map(([takes, first, last, step]) => {
          for (let n = first; n <= (last ?? first); n += last === null ? 1 : step) {
            if (takes) expected.delete(n);
            else expected.add(n);
          }
          return `${takes ? '~' : ''}${first}${last === null ? '' : `-${last}-${step}`}`;
        });
        const sorted = [...expected].sort((a, b) => a - b);
        expect(parseNodeSpecs(words, names)).toEqual(sorted);
        expect(parseNodeSpecs([words.join(',')], names)).toEqual(sorted);
      }),
    );
  });

  test('parses and folds 100 000 nodes, as a range and word by word', () => {
    const words = Array.from({ length: 100_000 }, (_, i) => `fit${((i * 7919) % 100_000) + 1}`);
    for (const specs of [['1-100000'], words]) expect(fold(parseNodeSpecs(specs, names))).toBe('1-100000');
    expect(parseNodeSpecs(['1-199999-2'], names)).toHaveLength(100_000);
  });
});
