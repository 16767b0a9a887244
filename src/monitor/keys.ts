/** A key: one printable character, or a name. `interrupt` is Ctrl-C, `suspend` Ctrl-Z, which a raw terminal does not turn into signals. */
export type Key = string;

const NAMED: Readonly<Record<string, Key>> = {
  '\u0003': 'interrupt',
  '\u001a': 'suspend',
  '\r': 'enter',
  '\n': 'enter',
  '\u001b': 'escape',
  '\u001b[A': 'up',
  '\u001b[B': 'down',
  '\u001bOA': 'up',
  '\u001bOB': 'down',
  '\u001b[5~': 'pageup',
  '\u001b[6~': 'pagedown',
};

/** Keys out of what a terminal sends; an escape sequence may come in pieces. Unknown ones are swallowed whole. */
export class KeyDecoder {
  #rest = '';

  /** Whether an ESC waits to become a sequence. */
  get pending(): boolean {
    return this.#rest !== '';
  }

  push(text: string): Key[] {
    const keys: Key[] = [];
    let input = this.#rest + text;
    this.#rest = '';
    while (input !== '') {
      const sequence = /^\u001b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])/.exec(input)?.[0];
      if (sequence === undefined && /^\u001b(?:\[[0-?]*[ -/]*|O)?$/.test(input)) {
        this.#rest = input;
        break;
      }
      const piece = sequence ?? input.charAt(0);
      input = input.slice(piece.length);
      const key = NAMED[piece] ?? (/^[ -~]$/.test(piece) ? piece : null);
      if (key !== null) keys.push(key);
    }
    return keys;
  }

  /** Nothing followed: the ESC was the key of that name. */
  flush(): Key[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest.startsWith('\u001b') ? ['escape'] : [];
  }
}
