import { describe, expect, test } from 'vitest';
import { DO, DONT, IAC, SB, SE, SERVER_GREETING, TelnetDecoder, WILL, WONT } from '../../src/telnet/codec.js';
import { ClientNegotiator } from '../../src/telnet/negotiator.js';

function answer(negotiator: ClientNegotiator, ...bytes: number[]): number[] {
  return [...negotiator.reply(new TelnetDecoder().decode(Uint8Array.from(bytes)).commands)];
}

describe('ClientNegotiator', () => {
  test("answers busybox telnetd's greeting: WONT ECHO, WILL NAWS with a wide window, DO ECHO, DO SGA", () => {
    const reply = answer(new ClientNegotiator(), ...SERVER_GREETING);
    expect(reply).toEqual([IAC, WONT, 1, IAC, WILL, 31, IAC, SB, 31, 8, 0, 0, 25, IAC, SE, IAC, DO, 1, IAC, DO, 3]);
  });

  test('refuses everything else, so that a server that asks for a terminal type goes on', () => {
    const negotiator = new ClientNegotiator();
    expect(answer(negotiator, IAC, DO, 24, IAC, DO, 32, IAC, DO, 39)).toEqual([IAC, WONT, 24, IAC, WONT, 32, IAC, WONT, 39]);
    expect(answer(negotiator, IAC, WILL, 5)).toEqual([IAC, DONT, 5]);
  });

  test('answers only what changes something, so that two parties cannot loop', () => {
    const negotiator = new ClientNegotiator();
    expect(answer(negotiator, IAC, WILL, 1)).toEqual([IAC, DO, 1]);
    expect(answer(negotiator, IAC, WILL, 1)).toEqual([]);
    expect(answer(negotiator, IAC, WONT, 1)).toEqual([IAC, DONT, 1]);
    expect(answer(negotiator, IAC, WONT, 1)).toEqual([]);
    expect(answer(negotiator, IAC, DONT, 31)).toEqual([]);
    expect(answer(negotiator, IAC, DO, 31)).toHaveLength(12);
    expect(answer(negotiator, IAC, DONT, 31)).toEqual([IAC, WONT, 31]);
  });

  test('falls silent before a peer that never stops negotiating', () => {
    const negotiator = new ClientNegotiator();
    let sent = 0;
    for (let i = 0; i < 5_000; i++) sent += answer(negotiator, IAC, DO, 31, IAC, DONT, 31).length;
    expect(sent).toBeLessThan(10_000);
    expect(answer(negotiator, IAC, DO, 31)).toEqual([]);
  });
});
