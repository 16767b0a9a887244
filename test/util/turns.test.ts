import { expect, test } from 'vitest';
import { createTurns } from '../../src/util/turns.js';

/** Work that ends when it is told to. */
function work(): { begun: boolean; end: () => void; run: () => Promise<void> } {
  const one = { begun: false, end: () => {}, run: () => new Promise<void>((resolve) => ((one.begun = true), (one.end = resolve))) };
  return one;
}

const moment = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('so many at a time, the next when one has ended', async () => {
  const turns = createTurns(2, 60_000);
  const works = [work(), work(), work()];
  const all = works.map((one) => turns(one.run));
  await moment();
  expect(works.map(({ begun }) => begun)).toEqual([true, true, false]);
  works[0]?.end();
  await all[0];
  await moment();
  expect(works[2]?.begun).toBe(true);
  for (const one of works) one.end();
  await Promise.all(all);
});

test('one that takes longer than its turn goes on, and lets the next begin', async () => {
  const turns = createTurns(1, 5);
  const slow = work();
  const first = turns(slow.run);
  expect(await turns(async () => 'second')).toBe('second');
  slow.end();
  await first;
});

test('work that fails is its own failure alone', async () => {
  const turns = createTurns(1, 60_000);
  const failing = turns(() => Promise.reject(new Error('first')));
  const throwing = turns(() => {
    throw new Error('second');
  });
  await expect(failing).rejects.toThrow('first');
  await expect(throwing).rejects.toThrow('second');
  expect(await turns(async () => 3)).toBe(3);
});
