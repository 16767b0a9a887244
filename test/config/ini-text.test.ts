import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIni } from '../../src/config/ini-text.js';
import { UserError } from '../../src/util/errors.js';
import { thrown } from '../helpers/thrown.js';

/** Values as a plain object, in the order of the file. */
function read(text: string): Record<string, Record<string, string>> {
  return Object.fromEntries([...parseIni(text, 'f.conf')].map(([section, values]) => [section, Object.fromEntries(values)]));
}
const value = (written: string): string | undefined => read(`[s]\nk = ${written}\n`).s?.k;

describe('how settings are written', () => {
  test.each([
    ['plain', 'plain'],
    ['two words', 'two words'],
    ['"quoted"', 'quoted'],
    ["'quoted'", 'quoted'],
    ['" blanks "', ' blanks '],
    ['""', ''],
    ['', ''],
    [`"it's"`, "it's"],
    [`'say "hi"'`, 'say "hi"'],
    [`it's`, "it's"],
    ['say "hi"', 'say "hi"'],
    ['"a\\tb\\\\"', 'a\\tb\\\\'],
    ["'90'", '90'],
    ["'1e3'", '1e3'],
    ["'[1,2]'", '[1,2]'],
    ['007', '007'],
    ['true', 'true'],
    ['"false"', 'false'],
    ['null', 'null'],
    ['10000 + *', '10000 + *'],
    ['a = b == c', 'a = b == c'],
    ['100% %(x)s $HOME ${y}', '100% %(x)s $HOME ${y}'],
    ['a\\;b', 'a\\;b'],
    ['[x]', '[x]'],
    ['été 日本', 'été 日本'],
  ])('the value %s is %j', (written, expected) => {
    expect(value(written)).toBe(expected);
  });

  test.each([
    ['x # note', 'x'],
    ['x ; note', 'x'],
    ['x\t; note', 'x'],
    ['x   #', 'x'],
    ['# all of it', ''],
    [';', ''],
    ['image#2', 'image#2'],
    ['a;b', 'a;b'],
    ['"x # y"', 'x # y'],
    ['"x" # y', 'x'],
    ["'x;' ; y", 'x;'],
    ['"x" ; "y"', 'x'],
    ['x "y # z"', 'x "y'],
  ])('the comment of %s leaves %j', (written, expected) => {
    expect(value(written)).toBe(expected);
  });

  test('comment lines, blank lines, indentation, either separator, any line end', () => {
    const text = '\uFEFF; one\r\n  # two\r\n\r\n  [ s ]  ; three\r\n  a: 1\r\n\tB.Faraday=2\rc = http://x:1/\n[t.u]#x\nd.e = 3';
    expect(read(text)).toEqual({ s: { a: '1', 'b.faraday': '2', c: 'http://x:1/' }, 't.u': { 'd.e': '3' } });
  });

  test('keeps a section apart from one whose name it begins', () => {
    expect(read('[testbed]\nall_scope = 1\n[testbed.all_scope]\nfaraday = 2\n')).toEqual({
      testbed: { all_scope: '1' },
      'testbed.all_scope': { faraday: '2' },
    });
  });

  test('the last of two equal keys counts, also when its section comes twice', () => {
    expect(read('[s]\na = 1\na = 2\n[t]\na = 3\n[s]\na = 4\nb = 5\n')).toEqual({ s: { a: '4', b: '5' }, t: { a: '3' } });
  });

  test('names like those of every object do no harm', () => {
    expect(read('[constructor]\ntostring = 1\n[__proto__]\nx = 1\n[s]\n__proto__ = 2\nconstructor = 3\n')).toEqual({
      constructor: { tostring: '1' },
      s: { constructor: '3' },
    });
    expect(Object.keys({})).toEqual([]);
  });

  test.each([
    ['a = 1', 1, 'a setting before the first [section]'],
    ['[s]\nflag', 2, '"flag" has no "="'],
    ['[s]\n\n# c\n= 1', 4, '"" is no name of a setting'],
    ['[s]\na[] = 1', 2, '"a[]" is no name of a setting'],
    ['[s]\na b = 1', 2, '"a b" is no name of a setting'],
    ['[s', 1, '"[s" is no [section]'],
    ['[]', 1, '"[]" is no [section]'],
    ['[s] x', 1, '"[s] x" is no [section]'],
    ['[s]\na = "x', 2, 'the quote before "x" is not closed'],
    ['[s]\na = "-K 3" -x', 2, 'text follows the closing quote: "-x" (put the other kind of quotes around the whole value)'],
    ['[s]\na = x\u0000y', 2, 'the value of a holds a control character'],
    ['[s]\na = x\u2028y', 2, 'the value of a holds a control character'],
  ])('%j is refused with its line', (text, line, what) => {
    expect(thrown(UserError, () => parseIni(text, '/etc/f.conf'))).toMatchObject({
      kind: 'environment',
      message: `/etc/f.conf, line ${line}: ${what}`,
    });
  });

  test('gives back any value that was put into quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        fc.pre(!/["\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text));
        expect(value(`"${text}" # c`)).toBe(text);
      }),
    );
  });

  test('either reads a text or refuses it with a message, whatever it is', () => {
    const piece = fc.constantFrom('[', ']', '=', ':', '"', "'", '#', ';', ' ', '\n', '.', '\\', 'a', '__proto__', '\r', '%');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          parseIni(`[s]\n${pieces.join('')}`, 'f');
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
  });

  test('reads a long line in linear time', () => {
    expect(value(`x${' '.repeat(500_000)}y`)).toHaveLength(500_002);
  });
});
