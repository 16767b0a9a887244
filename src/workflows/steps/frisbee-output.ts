/** What a frisbee client's output has told so far. */
export type FrisbeeOutput = {
  /** Chunks in the image; null until the client has joined. */
  totalChunks: number | null;
  /** Chunks it has written, by its dots. */
  doneChunks: number;
  /** The numbers of its last line but one, `Wrote E bytes (A actual)`. */
  wrote: { effectiveBytes: number; actualBytes: number } | null;
  /** The last line that says something, for error messages. */
  lastLine: string;
};

const MAX_LINE = 4096;

/**
 * Reads the output of a frisbee client as it comes, in pieces of any size (2015 binaries: one '.', 's' or 'z' per chunk
 * without a newline, 67 to a line; `Joined the team after S sec. ID is I. File is N chunks (B bytes)`;
 * `Wrote E bytes (A actual)`). The statistics between them hold dots too, so dots count only on lines of nothing else.
 */
export class FrisbeeOutputParser {
  readonly output: FrisbeeOutput = { totalChunks: null, doneChunks: 0, wrote: null, lastLine: '' };
  #line = '';
  /** Dots counted on the current line, taken back should the line turn out to be something else. */
  #dots = 0;

  push(text: string): void {
    for (const char of text) {
      if (char === '\n') this.#endLine();
      else if (char !== '\r' && this.#line.length < MAX_LINE) this.#addChar(char);
    }
  }

  #addChar(char: string): void {
    this.#line += char;
    if (this.output.totalChunks === null) return;
    const isDot = char === '.' || char === 's' || char === 'z';
    if (isDot && this.#dots === this.#line.length - 1) {
      this.#dots += 1;
      this.output.doneChunks += 1;
    } else if (this.#dots > 0 && !/[\d ]/.test(char)) {
      this.output.doneChunks -= this.#dots;
      this.#dots = 0;
    }
  }

  #endLine(): void {
    const line = this.#line;
    const joined = /File is (\d+) chunks/.exec(line);
    if (joined?.[1] !== undefined) this.output.totalChunks = Number(joined[1]);
    const wrote = /^Wrote (\d+) bytes \((\d+) actual\)/.exec(line);
    if (wrote) this.output.wrote = { effectiveBytes: Number(wrote[1]), actualBytes: Number(wrote[2]) };
    if (line.trim() !== '' && this.#dots === 0) this.output.lastLine = line.trim();
    this.#line = '';
    this.#dots = 0;
  }
}
