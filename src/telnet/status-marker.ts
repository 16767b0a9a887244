const CR = 0x0d;
const LF = 0x0a;
const MAX_DIGITS = 3;

/**
 * How a command's exit status travels back over a shell we know nothing about. The status is echoed behind a marker of
 * its own per run; the command line holds the marker cut in two by quotes, so no echo of it, wrapped or not, can match,
 * and it is searched anywhere in a line, as prompts and unfinished progress lines stand before it.
 */
export class StatusMarker {
  readonly #marker: Buffer;
  readonly #commandText: string;

  /** `id`: letters and digits, never used before on this connection. */
  constructor(id: string) {
    this.#marker = Buffer.from(`IMG_STATUS_${id}=`, 'latin1');
    this.#commandText = `IMG_""STATUS_${id}=$?`;
  }

  /**
   * One line for the remote shell that runs `command` and reports. It ends as RFC 854 says, in CR LF, which a tty takes as
   * one or two line ends: an empty command does nothing. Where it reaches the shell as it is, the CR is echoed after the status.
   */
  commandLine(command: string): string {
    return `${command}; echo ${this.#commandText}\r\n`;
  }

  /** Whether a line is our command line echoed back (its end, when the echo was wrapped). */
  isEcho(line: string): boolean {
    return line.includes(this.#commandText);
  }

  scanner(): StatusScanner {
    return new StatusScanner(this.#marker);
  }
}

/** Looks for one marker in a stream cut anywhere, holding back only what may still become it. */
export class StatusScanner {
  readonly #marker: Buffer;
  #held: Buffer = Buffer.alloc(0);

  constructor(marker: Buffer) {
    this.#marker = marker;
  }

  /** `output`: what surely is not the marker, to pass on; `status`: when it was found (what follows it is dropped). */
  push(chunk: Buffer): { output: Buffer; status: number | null } {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    let from = 0;
    for (;;) {
      const at = bytes.indexOf(this.#marker, from);
      if (at < 0) return this.#hold(bytes, bytes.length - this.#partialLength(bytes));
      const found = this.#digits(bytes, at + this.#marker.length);
      if (found === 'more') return this.#hold(bytes, at);
      if (found !== 'none') return { output: bytes.subarray(0, at), status: found };
      from = at + this.#marker.length;
    }
  }

  /** What was held back, once no more is coming. */
  rest(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  #digits(bytes: Buffer, start: number): number | 'more' | 'none' {
    let end = start;
    while (end < bytes.length && end - start <= MAX_DIGITS && isDigit(bytes[end])) end += 1;
    if (end - start > MAX_DIGITS) return 'none';
    if (end === bytes.length) return 'more'; // '7' may become '77': the line's end tells
    if (end === start || (bytes[end] !== CR && bytes[end] !== LF)) return 'none';
    return Number(bytes.toString('latin1', start, end));
  }

  /** Length of the longest end of `bytes` that is a beginning of the marker. */
  #partialLength(bytes: Buffer): number {
    for (let length = Math.min(this.#marker.length - 1, bytes.length); length > 0; length--) {
      if (bytes.subarray(bytes.length - length).equals(this.#marker.subarray(0, length))) return length;
    }
    return 0;
  }

  #hold(bytes: Buffer, from: number): { output: Buffer; status: null } {
    this.#held = Buffer.from(bytes.subarray(from));
    return { output: bytes.subarray(0, from), status: null };
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
