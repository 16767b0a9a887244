const ETX = 0x03;
const EOT = 0x04;
const BACKSPACE = 0x08;
const LF = 0x0a;
const ESC = 0x1b;
const DELETE = 0x7f;
/** A shell's limit for one line; more is dropped, as a tty does. */
const MAX_LINE_BYTES = 4096;

/** What ended the editing of a line. */
export type Edited = { type: 'line'; text: string } | { type: 'interrupt' } | { type: 'end-of-input' };

/**
 * The line editing of busybox ash, as a remote side sees it: every character comes back, and the echo is broken by a
 * real line end whenever it reaches the terminal's width (80 columns until the client tells another). Text is latin1,
 * one character per byte. Pure.
 */
export class LineEditor {
  /** The terminal's width in characters. */
  columns = 80;
  readonly #promptLength: number;
  #column: number;
  #line = '';
  #escape: 'none' | 'escape' | 'sequence' = 'none';

  constructor(promptLength: number) {
    this.#promptLength = promptLength;
    this.#column = promptLength;
  }

  /** Takes bytes up to and with the first that ends a line; `consumed` of them are done with. */
  edit(bytes: Uint8Array): { consumed: number; echo: string; edited: Edited | null } {
    let echo = '';
    for (const [index, byte] of bytes.entries()) {
      const step = this.#byte(byte);
      echo += step.echo;
      if (step.edited) {
        this.#line = '';
        this.#column = this.#promptLength;
        return { consumed: index + 1, echo, edited: step.edited };
      }
    }
    return { consumed: bytes.length, echo, edited: null };
  }

  #byte(byte: number): { echo: string; edited?: Edited } {
    if (this.#isEscape(byte)) return { echo: '' };
    switch (byte) {
      case LF:
        return { echo: '\r\n', edited: { type: 'line', text: this.#line } };
      case ETX:
        return { echo: '^C\r\n', edited: { type: 'interrupt' } };
      case EOT:
        return this.#line === '' ? { echo: '\r\n', edited: { type: 'end-of-input' } } : { echo: '' };
      case BACKSPACE:
      case DELETE:
        return { echo: this.#erase() };
      default:
        return { echo: byte < 0x20 && byte !== 0x09 ? '' : this.#append(String.fromCharCode(byte)) };
    }
  }

  /** Cursor keys, and a terminal's answer to the question for its cursor (`ESC [ 24 ; 5 R`). */
  #isEscape(byte: number): boolean {
    if (this.#escape === 'none') {
      if (byte === ESC) this.#escape = 'escape';
      return byte === ESC;
    }
    if (this.#escape === 'escape') {
      this.#escape = byte === 0x5b ? 'sequence' : 'none';
      return true;
    }
    if (byte >= 0x40 && byte <= 0x7e) this.#escape = 'none';
    return true;
  }

  #append(character: string): string {
    if (this.#line.length >= MAX_LINE_BYTES) return '';
    this.#line += character;
    this.#column += 1;
    if (this.#column < this.columns) return character;
    this.#column = 0;
    return character + '\r\n';
  }

  #erase(): string {
    if (this.#line === '') return '';
    this.#line = this.#line.slice(0, -1);
    this.#column = Math.max(0, this.#column - 1);
    return '\b \b';
  }
}
