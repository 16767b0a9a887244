/**
 * Telnet (RFC 854, 855, 1073) without sockets: bytes in, data and commands out. Usable for either side of a connection.
 * The shape of a real first answer: busybox telnetd opens with FF FD 01 FF FD 1F FF FB 01 FF FB 03
 * (DO ECHO, DO NAWS, WILL ECHO, WILL SGA), and goes on happily when nobody replies.
 */

export const IAC = 0xff;
export const DONT = 0xfe;
export const DO = 0xfd;
export const WONT = 0xfc;
export const WILL = 0xfb;
export const SB = 0xfa;
export const SE = 0xf0;

/** Option codes we know by name. */
export const OPTION = { echo: 1, suppressGoAhead: 3, terminalType: 24, windowSize: 31 } as const;

export type TelnetVerb = typeof WILL | typeof WONT | typeof DO | typeof DONT;

/** What the other side said beside data. Sub-negotiations keep at most 256 bytes, `truncated` tells when there were more. */
export type TelnetCommand =
  | { type: 'negotiate'; verb: TelnetVerb; option: number }
  | { type: 'subnegotiation'; option: number; data: Buffer; truncated: boolean }
  | { type: 'signal'; code: number };

/** What busybox telnetd opens a connection with; for a server side. */
export const SERVER_GREETING: Buffer = Buffer.from([
  IAC,
  DO,
  OPTION.echo,
  IAC,
  DO,
  OPTION.windowSize,
  IAC,
  WILL,
  OPTION.echo,
  IAC,
  WILL,
  OPTION.suppressGoAhead,
]);

const MAX_SUBNEGOTIATION_BYTES = 256;
const CR = 0x0d;
const LF = 0x0a;
const NUL = 0x00;

type State = 'data' | 'iac' | 'verb' | 'sb-option' | 'sb' | 'sb-iac';

export type TelnetDecoderOptions = {
  /**
   * 'keep' (default; for a client): CR LF stays, CR NUL becomes CR.
   * 'lf' (for a server reading what a person or program typed): CR LF, CR NUL and a lone CR each become LF, as a tty makes them.
   */
  lineEnds?: 'keep' | 'lf';
};

/** The receiving half of a telnet connection. State is kept between chunks, which may be cut anywhere. */
export class TelnetDecoder {
  #state: State = 'data';
  #verb: TelnetVerb = WILL;
  #afterCr = false;
  #sbOption = 0;
  #sbData: number[] = [];
  #sbTruncated = false;
  readonly #toLf: boolean;

  constructor(options: TelnetDecoderOptions = {}) {
    this.#toLf = options.lineEnds === 'lf';
  }

  /** Takes the next bytes off the wire. `data` is unescaped and free of commands; commands come in order. */
  decode(chunk: Uint8Array): { data: Buffer; commands: TelnetCommand[] } {
    const data = Buffer.allocUnsafe(chunk.length);
    const commands: TelnetCommand[] = [];
    let length = 0;
    for (const byte of chunk) {
      const kept = this.#state === 'data' && byte !== IAC ? this.#dataByte(byte) : this.#commandByte(byte, commands);
      if (kept >= 0) data[length++] = kept;
    }
    return { data: data.subarray(0, length), commands };
  }

  /** The byte to pass on, or -1 for none. */
  #dataByte(byte: number): number {
    const afterCr = this.#afterCr;
    this.#afterCr = byte === CR;
    if (this.#toLf) {
      if (byte === CR) return LF;
      return afterCr && (byte === LF || byte === NUL) ? -1 : byte;
    }
    return afterCr && byte === NUL ? -1 : byte;
  }

  #commandByte(byte: number, commands: TelnetCommand[]): number {
    switch (this.#state) {
      case 'data':
        this.#state = 'iac';
        return -1;
      case 'iac':
        return this.#afterIac(byte, commands);
      case 'verb':
        commands.push({ type: 'negotiate', verb: this.#verb, option: byte });
        this.#state = 'data';
        return -1;
      case 'sb-option':
        this.#sbOption = byte;
        this.#sbData = [];
        this.#sbTruncated = false;
        this.#state = 'sb';
        return -1;
      case 'sb':
        if (byte === IAC) this.#state = 'sb-iac';
        else this.#keepSubnegotiation(byte);
        return -1;
      case 'sb-iac':
        return this.#afterSubnegotiationIac(byte, commands);
    }
  }

  #afterIac(byte: number, commands: TelnetCommand[]): number {
    this.#state = 'data';
    if (byte === IAC) return this.#dataByte(IAC);
    if (byte === WILL || byte === WONT || byte === DO || byte === DONT) {
      this.#verb = byte;
      this.#state = 'verb';
    } else if (byte === SB) {
      this.#state = 'sb-option';
    } else if (byte !== SE) {
      commands.push({ type: 'signal', code: byte });
    }
    return -1;
  }

  #afterSubnegotiationIac(byte: number, commands: TelnetCommand[]): number {
    if (byte === IAC) {
      this.#keepSubnegotiation(IAC);
      this.#state = 'sb';
      return -1;
    }
    if (byte === SE) {
      commands.push({ type: 'subnegotiation', option: this.#sbOption, data: Buffer.from(this.#sbData), truncated: this.#sbTruncated });
      this.#state = 'data';
      return -1;
    }
    return this.#afterIac(byte, commands); // its SE got lost: the sub-negotiation is dropped, this command counts
  }

  #keepSubnegotiation(byte: number): void {
    if (this.#sbData.length < MAX_SUBNEGOTIATION_BYTES) this.#sbData.push(byte);
    else this.#sbTruncated = true;
  }
}

/** Data for the wire: every FF doubled. Line ends are left as they are. */
export function encodeData(data: Uint8Array | string): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (!bytes.includes(IAC)) return bytes;
  const out: number[] = [];
  for (const byte of bytes) {
    out.push(byte);
    if (byte === IAC) out.push(IAC);
  }
  return Buffer.from(out);
}

/** IAC verb option. */
export function encodeNegotiation(verb: TelnetVerb, option: number): Buffer {
  return Buffer.from([IAC, verb, option]);
}

/** IAC SB option data IAC SE. */
export function encodeSubnegotiation(option: number, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([IAC, SB, option]), encodeData(data), Buffer.from([IAC, SE])]);
}

/** NAWS (RFC 1073): our window's size in characters. */
export function encodeWindowSize(columns: number, rows: number): Buffer {
  return encodeSubnegotiation(OPTION.windowSize, Uint8Array.of(columns >> 8, columns & 0xff, rows >> 8, rows & 0xff));
}
