import { describe, expect, test } from 'vitest';
import { burstBlocksPerSecond, burstForRate, DEFAULT_BURST } from '../../src/programs/burst.js';
import { BITS_PER_BLOCK } from '../../src/frisbee/server-events.js';
import { Pacer } from '../../src/frisbee/pacing.js';
import { RateControl } from '../../src/frisbee/rate-control.js';
import { seededRandom } from '../../src/util/random.js';

describe('the arithmetic of the 2015 server', () => {
  test.each([
    [100_000_000, 11, 1000, '98.736'],
    [200_000_000, 22, 1000, '197.472'],
    [400_000_000, 44, 1000, '394.944'],
    [500_000_000, 55, 1000, '493.680'],
    [1_000_000_000, 111, 1000, '996.336'],
  ])('-W %i', (rateBps, blocks, intervalUs, megabits) => {
    const burst = burstForRate(rateBps);
    expect(burst).toEqual({ blocks, intervalUs });
    expect(((burstBlocksPerSecond(burst) * BITS_PER_BLOCK) / 1e6).toFixed(3)).toBe(megabits);
  });

  test('its default is 71.808 Mbit/s, and slow rates have long intervals', () => {
    expect((burstBlocksPerSecond(DEFAULT_BURST) * BITS_PER_BLOCK) / 1e6).toBe(71.808);
    expect(burstForRate(1_000_000)).toEqual({ blocks: 1, intervalUs: 10_000 });
    expect(burstForRate(1)).toEqual({ blocks: 1, intervalUs: 1_000_000 });
  });
});

describe('pacing', () => {
  /** Sends in batches of 32 with timers that are late by up to `latenessMs`; returns blocks sent in 10 s and the most at once. */
  function run(blocksPerSecond: number, latenessMs: number): { sent: number; most: number } {
    const random = seededRandom(5);
    const pacer = new Pacer(blocksPerSecond, 0);
    let sent = 0;
    let most = 0;
    for (let now = 0; now < 10_000; now += 1.1 + random() * latenessMs) {
      const blocks = pacer.available(now);
      pacer.spend(blocks);
      sent += blocks;
      most = Math.max(most, blocks);
    }
    return { sent, most };
  }

  test.each([
    [8000, 0],
    [8000, 8],
    [11_000, 8],
    [44_000, 0.8],
    [1114, 8],
  ])('%i blocks/s with timers %d ms late: the rate is kept, never exceeded', (rate, lateness) => {
    const { sent } = run(rate, lateness);
    expect(sent).toBeGreaterThan(rate * 10 * 0.97);
    expect(sent).toBeLessThanOrEqual(rate * 10 + 1);
  });

  test('of a long pause a little is made good, gently: a stock receiver’s buffer holds about 180 datagrams', () => {
    const pacer = new Pacer(20_000, 0);
    const sent: number[] = [];
    for (let now = 5_000; now < 5_200; now += 1) {
      const blocks = pacer.available(now);
      pacer.spend(blocks);
      sent.push(blocks);
    }
    expect(sent[0]).toBe(120); // what may be sent at once
    expect(Math.max(...sent.slice(1))).toBe(30); // then half as much again as the rate
    expect(sent.slice(-50)).toEqual(Array(50).fill(20));
    expect(sent.reduce((sum, blocks) => sum + blocks, 0)).toBe(120 + 199 * 20 + 20 * 20); // 20 ms of the rate in all
  });

  test('bursts are a trickle at low rates, and what is cheap at high ones', () => {
    expect([1_000, 8_000, 11_000, 44_000, 1_000_000, Infinity].map((rate) => new Pacer(rate, 0).burst(60))).toEqual([
      2, 16, 22, 60, 60, 60,
    ]);
    expect(new Pacer(8_000, 0).waitMs(16)).toBe(2);
    expect(new Pacer(Infinity, 0).available(0)).toBe(Infinity);
  });
});

/**
 * A model of receivers that drain so many blocks per second, with a buffer, and lose at random besides. What is lost is
 * asked for again 100 ms later. Returns how much was sent and how long it took for `image` blocks.
 */
function simulate(options: { cap: number; drain: number; randomLoss?: number; image?: number; loopback?: boolean; until?: number }): {
  seconds: number;
  sent: number;
  rates: number[];
} {
  const { cap, drain, randomLoss = 0, image = 400_000, until = 120 } = options;
  const control = new RateControl(cap, options.loopback ?? false, 0);
  const random = seededRandom(11);
  const late: { at: number; blocks: number; sentAt: number }[] = [];
  const rates: number[] = [];
  let left = image;
  let buffered = 0;
  let sent = 0;
  let now = 0;
  let repeats = 0;
  for (; (left > 0.5 || repeats > 0.5 || late.length > 0) && now < until * 1000; now += 10) {
    while (late[0] && late[0].at <= now) {
      const { blocks, sentAt } = late.shift() ?? { blocks: 0, sentAt: 0 };
      control.lost(blocks, sentAt);
      repeats += blocks;
    }
    const able = Math.min(control.blocksPerSecond, 60_000) / 100;
    const batch = Math.min(able, left + repeats);
    const again = Math.min(batch, repeats);
    repeats -= again;
    left -= batch - again;
    sent += batch;
    control.sent(batch, batch > 0 ? 10 : 0);
    buffered = Math.max(0, buffered + batch - drain / 100);
    const overflow = Math.max(0, buffered - 900);
    buffered -= overflow;
    const lost = overflow + batch * randomLoss * (0.5 + random());
    if (lost >= 1) late.push({ at: now + 100, blocks: lost, sentAt: now });
    control.tick(now);
    rates.push(control.rateBps);
  }
  return { seconds: now / 1000, sent: sent / image, rates };
}

describe('rate control', () => {
  test('nothing lost: the rate asked for is reached within a second and kept', () => {
    const { rates, sent } = simulate({ cap: 400_000_000, drain: 1e6 });
    expect(sent).toBeCloseTo(1);
    expect(rates.slice(100).every((rate) => rate === 400_000_000)).toBe(true);
  });

  test('asked for more than is drained: no collapse, few repeats, and most of what the receivers can do', () => {
    for (const drain of [5_000, 12_000, 30_000]) {
      const { seconds, sent } = simulate({ cap: 1e9, drain });
      expect(sent).toBeLessThan(1.2);
      expect(seconds).toBeLessThan((400_000 / drain) * 1.1);
    }
  });

  test('uncapped behaves as a high cap does', () => {
    expect(simulate({ cap: Infinity, drain: 12_000 }).sent).toBeLessThan(1.2);
  });

  test('1 % random loss at one receiver slows nobody down', () => {
    const lossless = simulate({ cap: 200_000_000, drain: 1e6 });
    const lossy = simulate({ cap: 200_000_000, drain: 1e6, randomLoss: 0.01 });
    expect(lossy.seconds).toBeLessThan(lossless.seconds * 1.05);
  });

  test('10 % random loss that no rate cures is lived with, not slowed down for', () => {
    const lossless = simulate({ cap: 200_000_000, drain: 1e6 });
    const lossy = simulate({ cap: 200_000_000, drain: 1e6, randomLoss: 0.1 });
    expect(lossy.seconds).toBeLessThan(lossless.seconds * 1.35);
  });

  test('never below the floor, nor below a cap that is lower', () => {
    const { rates } = simulate({ cap: 1e9, drain: 200, image: 20_000, until: 60 });
    expect(Math.min(...rates)).toBe(10_000_000);
    expect(Math.min(...simulate({ cap: 5_000_000, drain: 100, image: 2_000, until: 30 }).rates)).toBe(5_000_000);
  });
});
