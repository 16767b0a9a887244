import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineEditor, type Edited } from '../../src/testbed/line-editor.js';

function typeAll(editor: LineEditor, text: string, cut = Infinity): { echo: string; edited: Edited[] } {
  let bytes = Buffer.from(text, 'latin1');
  let echo = '';
  const edited: Edited[] = [];
  while (bytes.length > 0) {
    const piece = bytes.subarray(0, cut);
    const result = editor.edit(piece);
    bytes = bytes.subarray(result.consumed);
    echo += result.echo;
    if (result.edited) edited.push(result.edited);
  }
  return { echo, edited };
}

describe('line editing', () => {
  test('echoes what is typed and hands over one line at a time', () => {
    const editor = new LineEditor(4);
    const first = editor.edit(Buffer.from('one\ntwo\n'));
    expect(first).toEqual({ consumed: 4, echo: 'one\r\n', edited: { type: 'line', text: 'one' } });
  });

  test('breaks the echo at the width of the terminal, counting the prompt', () => {
    const editor = new LineEditor(4);
    expect(typeAll(editor, `${'x'.repeat(100)}\n`)).toEqual({
      echo: `${'x'.repeat(76)}\r\n${'x'.repeat(24)}\r\n`,
      edited: [{ type: 'line', text: 'x'.repeat(100) }],
    });
    editor.columns = 1000;
    expect(typeAll(editor, `${'x'.repeat(100)}\n`).echo).toBe(`${'x'.repeat(100)}\r\n`);
  });

  test('takes back with backspace, gives up with Ctrl-C, ends with Ctrl-D on an empty line only', () => {
    expect(typeAll(new LineEditor(4), 'ab\x7fc\n').edited).toEqual([{ type: 'line', text: 'ac' }]);
    expect(typeAll(new LineEditor(4), 'abc\x03d\n').edited).toEqual([{ type: 'interrupt' }, { type: 'line', text: 'd' }]);
    expect(typeAll(new LineEditor(4), 'a\x04b\n\x04').edited).toEqual([{ type: 'line', text: 'ab' }, { type: 'end-of-input' }]);
  });

  test("ignores a terminal's answer to the cursor query", () => {
    expect(typeAll(new LineEditor(4), '\x1b[24;5Rls\n').edited).toEqual([{ type: 'line', text: 'ls' }]);
  });

  test('gives the same lines however the bytes arrive', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '$', '\n', '\x7f', '\x03', '\x1b', '[', '\x04', 'é') });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 5 }), (typed, cut) => {
        expect(typeAll(new LineEditor(4), typed, cut)).toEqual(typeAll(new LineEditor(4), typed));
      }),
    );
  });

  test('keeps no endless line', () => {
    const { edited } = typeAll(new LineEditor(4), `${'x'.repeat(100_000)}\n`);
    expect(edited[0]?.type === 'line' && edited[0].text.length).toBe(4096);
  });
});
