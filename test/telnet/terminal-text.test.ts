import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EscapeStripper, LineSplitter, MAX_LINE_CHARS } from '../../src/telnet/terminal-text.js';

function lines(...chunks: string[]): string[] {
  const got: string[] = [];
  const splitter = new LineSplitter((line) => got.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.flush();
  return got;
}

describe('EscapeStripper', () => {
  const cases: [string, string, string][] = [
    ['cursor query after a prompt', '/ # \x1b[6n', '/ # '],
    ['colours', '\x1b[1;31mred\x1b[0m', 'red'],
    ['bracketed paste mode of bash', '\x1b[?2004l\rOK', '\rOK'],
    ['window title ended by BEL', '\x1b]0;title\x07text', 'text'],
    ['window title ended by ST', '\x1b]0;title\x1b\\text', 'text'],
    ['character set', '\x1b(Btext', 'text'],
    ['two letters', '\x1b7text\x1b8', 'text'],
    ['control characters', 'a\x07b\0c\x08d\te', 'abcd\te'],
    ['a string never ended: its line is lost, not the next', '\x1b]0;oops\nnext', '\nnext'],
    ['a CSI cut by a new line', '\x1b[12\nnext', '\nnext'],
    ['a CSI that restarts', '\x1b[1\x1b[2Jx', 'x'],
    ['beyond ASCII', 'é\x1b[m€', 'é€'],
  ];
  test.each(cases)('%s', (_, text, expected) => {
    expect(new EscapeStripper().strip(text)).toBe(expected);
    for (let at = 0; at <= text.length; at++) {
      const stripper = new EscapeStripper();
      expect(stripper.strip(text.slice(0, at)) + stripper.strip(text.slice(at)), `cut at ${at}`).toBe(expected);
    }
  });

  test('gives text again after a string that is too long to be one', () => {
    const stripper = new EscapeStripper();
    stripper.strip('\x1b]');
    for (let i = 0; i < 10; i++) stripper.strip('x'.repeat(1_000));
    expect(stripper.strip('text')).toBe('text');
  });
});

describe('LineSplitter', () => {
  const cases: [string, string, string[]][] = [
    ['LF', 'a\nb\n', ['a', 'b']],
    ['CR LF', 'a\r\nb\r\n', ['a', 'b']],
    ['CR CR LF, as doubled by some ttys', 'a\r\r\nb', ['a', 'b']],
    ['CR progress: every state is a line', '10%\r20%\r30%\r\ndone\r\n', ['10%', '20%', '30%', 'done']],
    ['empty lines stay', 'a\r\n\r\nb\n\nc', ['a', '', 'b', '', 'c']],
    ['an unfinished last line', 'a\n....', ['a', '....']],
  ];
  test.each(cases)('%s', (_, text, expected) => {
    expect(lines(text)).toEqual(expected);
    for (let at = 0; at <= text.length; at++) expect(lines(text.slice(0, at), text.slice(at)), `cut at ${at}`).toEqual(expected);
  });

  test('cuts an endless line at 64 Ki characters and goes on with the next', () => {
    const chunks = Array.from({ length: 200 }, () => 'x'.repeat(1_000));
    const got = lines(...chunks, '\nnext\n');
    expect(got.map((line) => line.length)).toEqual([MAX_LINE_CHARS, 4]);
  });

  test('property: cutting the text anywhere changes nothing', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '\r', '\n', '\r\n')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.nat(100), (whole, at) => {
        expect(lines(whole.slice(0, at), whole.slice(at))).toEqual(lines(whole));
      }),
    );
  });
});
