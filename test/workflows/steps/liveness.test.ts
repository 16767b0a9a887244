import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Socket } from 'node:net';
import { takeLiveness, untilGone, type Answer } from '../../../src/workflows/steps/liveness.js';
import { nodeAt } from '../../helpers/nodes.js';
import { serve, type Server } from '../../ssh/servers.js';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A server that counts, and tells of each connection. */
async function counting(onConnection: (count: number, socket: Socket) => void): Promise<Server & { count(): number }> {
  let count = 0;
  const server = await serve((socket) => onConnection((count += 1), socket.resume()));
  servers.push(server);
  return { ...server, count: () => count };
}

test('an sshd is hardly asked whether it is still there, as every connection that does not log in counts; telnet is', async () => {
  let asked: () => void = () => {};
  const secondQuestion = new Promise<void>((resolve) => (asked = resolve));
  const telnet = await counting(() => {});
  const ssh = await counting((count) => count === 3 && asked());
  const ending = new AbortController();
  const signs = await takeLiveness(nodeAt(telnet.host), {
    telnetPort: telnet.port,
    sshPort: ssh.port,
    pinger: null,
    probeTimeoutMs: 1_000,
    signal: ending.signal,
  });
  expect(signs.map(({ probe }) => probe)).toEqual(['telnet', 'ssh']);
  const gone = Promise.allSettled(signs.map((sign) => sign.gone(ending.signal)));
  await secondQuestion; // after 3 s, when telnet has been asked some 9 times
  expect(telnet.count()).toBeGreaterThan(2 * ssh.count());
  ending.abort(new Error('enough'));
  await gone;
  for (const sign of signs) sign.release();
});

test('the end of the connection that is held tells at once', async () => {
  const held: Socket[] = [];
  const ssh = await counting((_, socket) => held.push(socket));
  const nobody = await serve(() => {});
  await nobody.close();
  const ending = new AbortController();
  const [sign] = await takeLiveness(nodeAt(ssh.host), {
    telnetPort: nobody.port,
    sshPort: ssh.port,
    pinger: null,
    probeTimeoutMs: 1_000,
    signal: ending.signal,
  });
  const gone = sign?.gone(ending.signal);
  await ssh.close(); // ends what is held, and refuses what comes
  await gone;
  expect(ssh.count()).toBe(1);
});

describe('whether something is gone', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const never = new AbortController().signal;

  /** When it is taken for gone, milliseconds, and how often it was asked; the last answer stays. */
  async function goneAt(answers: readonly Answer[], pollMs?: readonly number[], hintMs?: number): Promise<{ atMs: number; asked: number }> {
    const startMs = performance.now();
    let asked = 0;
    const ask = async (): Promise<Answer> => answers[Math.min(asked++, answers.length - 1)] ?? 'silent';
    const hint = hintMs === undefined ? undefined : new Promise<void>((resolve) => setTimeout(resolve, hintMs));
    const done = untilGone(ask, never, hint, pollMs).then(() => Math.round(performance.now() - startMs));
    await vi.runAllTimersAsync();
    return { atMs: await done, asked };
  }

  test.each<[string, Answer[], { atMs: number; asked: number }]>([
    ['a refusal is enough', ['yes', 'refused'], { atMs: 150, asked: 2 }],
    ['silence only three times in a row', ['silent'], { atMs: 350, asked: 3 }],
    ['a lost packet is none', ['silent', 'silent', 'yes', 'silent', 'silent', 'silent'], { atMs: 1_550, asked: 6 }],
  ])('%s', async (_, answers, expected) => expect(await goneAt(answers)).toEqual(expected));

  test('one that must be asked rarely is asked again soon once it is silent', async () => {
    expect(await goneAt(['yes', 'silent'], [1_000, 2_000, 3_000])).toEqual({ atMs: 3_800, asked: 4 });
  });

  test('a hint is a moment to ask', async () => {
    expect(await goneAt(['refused'], [1_000], 70)).toEqual({ atMs: 70, asked: 1 });
    expect(await goneAt(['yes', 'refused'], [1_000], 70)).toEqual({ atMs: 1_070, asked: 2 });
  });

  test('who waits no more is told nothing', async () => {
    const ending = new AbortController();
    const waiting = untilGone(async () => 'yes', ending.signal);
    setTimeout(() => ending.abort(new Error('enough')), 1_000);
    await Promise.all([expect(waiting).rejects.toThrow('enough'), vi.runAllTimersAsync()]);
  });
});
