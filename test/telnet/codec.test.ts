import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DO,
  DONT,
  IAC,
  OPTION,
  SB,
  SE,
  SERVER_GREETING,
  TelnetDecoder,
  WILL,
  WONT,
  encodeData,
  encodeNegotiation,
  encodeSubnegotiation,
  encodeWindowSize,
  type TelnetCommand,
  type TelnetDecoderOptions,
} from '../../src/telnet/codec.js';

function decodeAll(chunks: Uint8Array[], options?: TelnetDecoderOptions): { data: Buffer; commands: TelnetCommand[] } {
  const decoder = new TelnetDecoder(options);
  const parts = chunks.map((chunk) => decoder.decode(chunk));
  return { data: Buffer.concat(parts.map((part) => part.data)), commands: parts.flatMap((part) => part.commands) };
}

/** Everything at once: greeting, text, CR NUL, doubled FF, sub-negotiations (one with FF FF, one cut off), a signal. */
const STREAM = Buffer.concat([
  SERVER_GREETING,
  Buffer.from('\r\r\n/ # \x1b[6nx\r\0y', 'latin1'),
  Buffer.from([IAC, IAC]),
  Buffer.from([IAC, SB, OPTION.terminalType, 1, IAC, IAC, 2, IAC, SE]),
  Buffer.from('abc'),
  Buffer.from([IAC, DO, OPTION.terminalType]),
  Buffer.from('d'),
  Buffer.from([IAC, SB, 5, 9, IAC, WONT, 3]),
  Buffer.from([0x41, IAC, 0xf1, 0x42]),
]);

const EXPECTED = {
  data: Buffer.concat([Buffer.from('\r\r\n/ # \x1b[6nx\ry', 'latin1'), Buffer.from([0xff]), Buffer.from('abcdAB')]),
  commands: [
    { type: 'negotiate', verb: DO, option: 1 },
    { type: 'negotiate', verb: DO, option: 31 },
    { type: 'negotiate', verb: WILL, option: 1 },
    { type: 'negotiate', verb: WILL, option: 3 },
    { type: 'subnegotiation', option: 24, data: Buffer.from([1, 255, 2]), truncated: false },
    { type: 'negotiate', verb: DO, option: 24 },
    { type: 'negotiate', verb: WONT, option: 3 },
    { type: 'signal', code: 0xf1 },
  ],
};

describe('TelnetDecoder', () => {
  test('takes commands out of data, wherever they stand', () => {
    expect(decodeAll([STREAM])).toEqual(EXPECTED);
  });

  test('gives the same however the stream is cut in two', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      expect(decodeAll([STREAM.subarray(0, at), STREAM.subarray(at)]), `cut at ${at}`).toEqual(EXPECTED);
    }
  });

  test('gives the same byte by byte', () => {
    expect(decodeAll([...STREAM].map((byte) => Uint8Array.of(byte)))).toEqual(EXPECTED);
  });

  test('keeps a bounded part of an endless sub-negotiation, and shows none of it as data', () => {
    const decoder = new TelnetDecoder();
    decoder.decode(Uint8Array.of(IAC, SB, 99));
    for (let i = 0; i < 100; i++) expect(decoder.decode(Buffer.alloc(10_000, 0x61)).data).toHaveLength(0);
    const { commands, data } = decoder.decode(Uint8Array.of(IAC, SE, 0x62));
    expect(commands).toEqual([{ type: 'subnegotiation', option: 99, data: Buffer.alloc(256, 0x61), truncated: true }]);
    expect(data.toString()).toBe('b');
  });

  test('makes every typed line end a LF for a server', () => {
    const typed = Buffer.from('a\r\nb\r\0c\nd\re', 'latin1');
    for (let at = 0; at <= typed.length; at++) {
      expect(decodeAll([typed.subarray(0, at), typed.subarray(at)], { lineEnds: 'lf' }).data.toString()).toBe('a\nb\nc\nd\ne');
    }
  });

  test('property: never throws on noise, and cutting it anywhere changes nothing', () => {
    const noise = fc.array(fc.oneof(fc.constantFrom(IAC, IAC, SB, SE, WILL, DO, 0, 10, 13), fc.nat(255)), { maxLength: 200 });
    fc.assert(
      fc.property(noise, fc.nat(200), (bytes, at) => {
        const whole = Uint8Array.from(bytes);
        expect(decodeAll([whole.subarray(0, at), whole.subarray(at)])).toEqual(decodeAll([whole]));
      }),
    );
  });
});

describe('encoding', () => {
  test('property: what is encoded decodes to itself (CR NUL excepted, which telnet uses for a bare CR)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(600), (bytes, at) => {
        const plain = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\r\0', '\r'), 'latin1');
        fc.pre(!plain.includes('\r\0', 0, 'latin1'));
        const wire = encodeData(plain);
        const { data, commands } = decodeAll([wire.subarray(0, at), wire.subarray(at)]);
        expect(data.equals(plain)).toBe(true);
        expect(commands).toEqual([]);
      }),
    );
  });

  test('property: negotiations and sub-negotiations decode to themselves between data', () => {
    const verb = fc.constantFrom(WILL, WONT, DO, DONT);
    fc.assert(
      fc.property(verb, fc.nat(255), fc.uint8Array({ maxLength: 256 }), (v, option, payload) => {
        const wire = Buffer.concat([encodeNegotiation(v, option), Buffer.from('x'), encodeSubnegotiation(option, payload)]);
        const { data, commands } = decodeAll([wire]);
        expect(data.toString()).toBe('x');
        expect(commands).toEqual([
          { type: 'negotiate', verb: v, option },
          { type: 'subnegotiation', option, data: Buffer.from(payload), truncated: false },
        ]);
      }),
    );
  });

  test('doubles FF inside a window size', () => {
    expect([...encodeWindowSize(255, 25)]).toEqual([IAC, SB, 31, 0, IAC, IAC, 0, 25, IAC, SE]);
  });
});
