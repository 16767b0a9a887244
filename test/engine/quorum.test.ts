import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Outcome } from '../../src/events/outcome.js';
import { createQuorum, enoughOf } from '../../src/engine/quorum.js';
import { createWindow } from '../../src/engine/window.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const good = { ok: true, target: 'fit01', value: '', elapsedMs: 1 } satisfies Outcome<string>;
const bad = {
  ok: false,
  target: 'fit02',
  failure: { target: 'fit02', blame: 'node', step: 'boot', code: 'x', message: '', hint: null },
  elapsedMs: 1,
} satisfies Outcome<string>;
const words = { nouns: 'drives', hint: 'write the rest' };
const clock = (): number => performance.now();

describe('a quorum', () => {
  test.each([
    [0.9, 37, 34],
    [0.9, 10, 9],
    [1, 5, 5],
    [0.01, 5, 1],
    [0.5, 3, 2],
    [2 / 3, 3, 2],
  ])('%d of %i nodes are %i', (share, total, enough) => expect(enoughOf(share, total)).toBe(enough));

  test('gives up the rest a little after enough nodes are done, and until then lets failed ones try again', () => {
    const quorum = createQuorum(2, new AbortController().signal, clock, words);
    vi.advanceTimersByTime(20_000);
    quorum.onOutcome(bad);
    quorum.onOutcome(good);
    expect(quorum.mayRetry()).toBe(true);
    quorum.onOutcome(good);
    expect(quorum.mayRetry()).toBe(false);
    vi.advanceTimersByTime(3_900);
    expect(quorum.signal.aborted).toBe(false);
    vi.advanceTimersByTime(200); // a fifth of 20 s
    expect(quorum.signal.reason).toMatchObject({
      code: 'given-up',
      message: '2 drives are done, which is enough (--min-success)',
      hint: 'write the rest',
    });
  });

  test('without a number everybody gets all their time', () => {
    const quorum = createQuorum(null, new AbortController().signal, clock, words);
    for (let i = 0; i < 50; i += 1) quorum.onOutcome(good);
    vi.advanceTimersByTime(1e9);
    expect(quorum.signal.aborted).toBe(false);
    expect(quorum.mayRetry()).toBe(true);
  });

  test('once closed it aborts nothing', () => {
    const quorum = createQuorum(1, new AbortController().signal, clock, words);
    quorum.onOutcome(good);
    quorum.close();
    vi.advanceTimersByTime(1e6);
    expect(quorum.signal.aborted).toBe(false);
  });
});

describe('a window', () => {
  test('never lets more nodes through in its time than it says, in order', async () => {
    const window = createWindow({ turns: 3, perMs: 1_000 }, clock);
    const startMs = clock();
    const times: number[] = [];
    const turns = Array.from({ length: 8 }, () => window.turn(new AbortController().signal).then(() => void times.push(clock() - startMs)));
    await vi.advanceTimersByTimeAsync(10_000);
    await Promise.all(turns);
    expect(times).toEqual([0, 0, 0, 1_000, 1_000, 1_000, 2_000, 2_000]);
  });

  test('those who come later than their turn pass at once', async () => {
    const window = createWindow({ turns: 1, perMs: 1_000 }, clock);
    const startMs = clock();
    const { signal } = new AbortController();
    await window.turn(signal);
    await vi.advanceTimersByTimeAsync(5_000);
    await window.turn(signal);
    expect(clock() - startMs).toBe(5_000);
  });

  test('who is interrupted does not go through', async () => {
    const window = createWindow({ turns: 1, perMs: 1_000 }, clock);
    const controller = new AbortController();
    await window.turn(controller.signal);
    const turn = window.turn(controller.signal);
    controller.abort(new Error('Ctrl-C'));
    await expect(turn).rejects.toThrow('Ctrl-C');
  });
});
