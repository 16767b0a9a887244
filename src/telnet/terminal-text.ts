/** Longest escape sequence we skip; beyond it the rest is text again, so that binary noise cannot hide output for ever. */
const MAX_ESCAPE_CHARS = 4_096;
export const MAX_LINE_CHARS = 65_536;

type State = 'text' | 'escape' | 'intermediate' | 'csi' | 'string' | 'string-escape';

/**
 * Takes terminal control out of a stream of text cut anywhere: CSI (`ESC[6n`, colours), OSC and other strings, two-letter
 * escapes, and control characters but tab, CR and LF.
 */
export class EscapeStripper {
  #state: State = 'text';
  #skipped = 0;

  strip(text: string): string {
    if (this.#state === 'text' && !/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return text;
    let out = '';
    for (const char of text) out += this.#char(char);
    return out;
  }

  #char(char: string): string {
    if (this.#state === 'text') return this.#textChar(char);
    this.#skipped += 1;
    if (char === '\n' || char === '\r' || this.#skipped > MAX_ESCAPE_CHARS) {
      this.#state = 'text'; // no sequence spans lines: an unfinished one ends here
      return this.#textChar(char);
    }
    this.#state = this.#next(this.#state, char);
    return '';
  }

  #textChar(char: string): string {
    if (char === '\x1b') {
      this.#state = 'escape';
      this.#skipped = 0;
      return '';
    }
    return char >= ' ' ? (char === '\x7f' ? '' : char) : char === '\n' || char === '\r' || char === '\t' ? char : '';
  }

  #next(state: Exclude<State, 'text'>, char: string): State {
    if (char === '\x18' || char === '\x1a') return 'text'; // CAN and SUB cancel any sequence
    switch (state) {
      case 'escape':
        if (char === '[') return 'csi';
        if (']PX^_'.includes(char)) return 'string';
        if (char === '\x1b') return 'escape';
        return char >= ' ' && char <= '/' ? 'intermediate' : 'text';
      case 'intermediate':
        return char >= ' ' && char <= '/' ? 'intermediate' : 'text';
      case 'csi':
        if (char === '\x1b') return 'escape';
        return char >= '@' ? 'text' : 'csi';
      case 'string':
        if (char === '\x1b') return 'string-escape';
        return char === '\x07' ? 'text' : 'string';
      case 'string-escape':
        return char === '\\' ? 'text' : char === '\x1b' ? 'string-escape' : 'string';
    }
  }
}

/**
 * Cuts text into lines at LF, CR LF, and at a CR alone (progress that rewrites its line): each state of such a line is a
 * line of its own. Lines longer than 64 Ki characters are cut there; nothing else is kept in memory.
 */
export class LineSplitter {
  #line = '';
  #endedByCr = false;
  readonly #onLine: (line: string) => void;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text.charCodeAt(at);
      if (char !== 0x0a && char !== 0x0d) continue;
      this.#append(text.slice(from, at));
      from = at + 1;
      if (char === 0x0d) this.#carriageReturn();
      else this.#lineFeed();
    }
    this.#append(text.slice(from));
  }

  /** What was begun and not ended, as a line. */
  flush(): void {
    if (this.#line !== '') this.#emit();
  }

  #append(part: string): void {
    if (part === '') return;
    this.#endedByCr = false;
    if (this.#line.length < MAX_LINE_CHARS) this.#line += part.slice(0, MAX_LINE_CHARS - this.#line.length);
  }

  #carriageReturn(): void {
    if (this.#line === '') return;
    this.#emit();
    this.#endedByCr = true;
  }

  #lineFeed(): void {
    if (!this.#endedByCr) this.#emit();
    this.#endedByCr = false;
  }

  #emit(): void {
    const line = this.#line;
    this.#line = '';
    this.#onLine(line);
  }
}
