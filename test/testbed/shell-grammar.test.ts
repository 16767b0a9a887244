import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/testbed/shell-grammar.js';

const words = (line: string): string[][] | string => {
  const parsed = parseCommandLine(line);
  return typeof parsed === 'string' ? parsed : parsed.flatMap(({ pipeline }) => pipeline.map((command) => command.words));
};

describe('the built-in shell reads', () => {
  test.each([
    [
      'frisbee -i 127.0.3.1 -m 239.192.0.1 -p 20011 /dev/sda',
      [['frisbee', '-i', '127.0.3.1', '-m', '239.192.0.1', '-p', '20011', '/dev/sda']],
    ],
    ['echo _TELNET_STATUS=$?', [['echo', '_TELNET_STATUS=\0']]],
    ['echo A_""B=$?', [['echo', 'A_B=\0']]],
    [`echo "a  b"'c d'\\ e`, [['echo', 'a  bc d e']]],
    ['echo "rc=$?" \'$?\'', [['echo', 'rc=\0', '$?']]],
    ['a; b && c || d', [['a'], ['b'], ['c'], ['d']]],
    ['a 2>&1 </dev/null', [['a']]],
    ['  ', []],
    [';', []],
    ["''", [['']]],
  ])('%s', (line, expected) => expect(words(line)).toEqual(expected));

  test('the conditions of a list', () => {
    const parsed = parseCommandLine('a && b || c; d');
    expect(typeof parsed === 'string' ? parsed : parsed.map(({ when }) => when)).toEqual(['always', 'success', 'failure', 'always']);
  });

  test('pipes, and lists in braces with what is redirected of them', () => {
    const plain = { group: null, hidesOutput: false, hidesErrors: false };
    const [a, b, c] = ['a', 'b', 'c'].map((word) => ({ ...plain, words: [word] }));
    expect(parseCommandLine('a | b|c')).toEqual([{ when: 'always', pipeline: [a, b, c] }]);
    const group = [
      { when: 'always', pipeline: [a] },
      { when: 'success', pipeline: [b] },
    ];
    expect(parseCommandLine('{ a && b; } 2>/dev/null|c; echo }')).toEqual([
      { when: 'always', pipeline: [{ ...plain, words: [], group, hidesErrors: true }, c] },
      { when: 'always', pipeline: [{ ...plain, words: ['echo', '}'] }] },
    ]);
    expect(parseCommandLine('"{" a }')).toEqual([{ when: 'always', pipeline: [{ ...plain, words: ['{', 'a', '}'] }] }]);
  });

  test.each([
    'a |',
    '| a',
    'a || | b',
    '{ a',
    'a; }',
    '{ a; } b',
    '{ a; } { b; }',
    'echo $HOME',
    'echo `id`',
    "echo 'open",
    'a > /etc/passwd',
    '&& a',
    '(a)',
    'a & b',
  ])('and says what it cannot do: %s', (line) => {
    expect(parseCommandLine(line)).toBeTypeOf('string');
  });

  test('ends on any text', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        parseCommandLine(line);
      }),
    );
  });
});
