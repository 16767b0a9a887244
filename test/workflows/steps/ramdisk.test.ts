import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EventBody } from '../../../src/events/types.js';
import { FIRST_ATTEMPT, type Attempt } from '../../../src/engine/attempts.js';
import { createWindow } from '../../../src/engine/window.js';
import { Failure } from '../../../src/util/errors.js';
import { systemHost } from '../../../src/util/host.js';
import { UndoStack } from '../../../src/util/undo.js';
import { inRamdisk, type RamdiskPlan, type RamdiskTools } from '../../../src/workflows/steps/ramdisk.js';
import { nodeRun } from '../../helpers/node-run.js';
import { oneNode } from '../../helpers/nodes.js';
import { fakeCard } from './fake-card.js';

// connections are real and refused at once; time is not
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const plan: RamdiskPlan = {
  reset: true,
  bootDeadlineMs: 100_000,
  graceMs: 20_000,
  telnetBackoffMs: 1_000,
  telnetPort: 1,
  hardDrive: '/dev/sda',
};
const second: Attempt = { number: 2, repeatsSteps: false, patience: 1.5 };

/** A node whose system never answers, tried; what happens to it, and its links. */
function tryNode(card: ReturnType<typeof fakeCard>, attempt: Attempt, change: Partial<RamdiskPlan> = {}) {
  const { run, events } = nodeRun(oneNode(7));
  const never = new AbortController().signal;
  const links: string[] = [];
  const keep = async (): Promise<void> => {};
  const tools: RamdiskTools = {
    host: systemHost,
    signal: never,
    undo: new UndoStack(),
    links: {
      claim: async () => never,
      check: keep,
      place: async () => (links.push('placed'), { replaced: null }),
      unlink: async () => void links.push('gone'),
      release: keep,
      holder: async () => null,
      beat: keep,
      sweep: async () => [],
    },
    permit: null,
    waitLockMs: 0,
    window: createWindow(null, systemHost.monotonicMs),
    reset: { power: card.power, undo: new UndoStack(), recordEnd: keep },
    liveness: { telnetPort: 1, sshPort: 1, pinger: null, probeTimeoutMs: 1_000 },
    transcript: () => () => {},
  };
  const work = (): Promise<never> => Promise.reject(new Error('it never came up'));
  const ended: { failure: unknown; atMs: number }[] = [];
  const startMs = performance.now();
  void inRamdisk(run, { ...plan, ...change }, tools, work, attempt).catch(
    (failure: unknown) => void ended.push({ failure, atMs: Math.round(performance.now() - startMs) }),
  );
  return { events, links, ended };
}

/** Lets time pass, second by second, with room for what sockets have to say, until it is so. */
async function until(isSo: () => boolean, seconds: number): Promise<void> {
  for (let passed = 0; passed <= seconds && !isSo(); passed += 1) {
    for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    if (!isSo()) await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(isSo()).toBe(true);
}

const stepsOf = (events: readonly EventBody[]): string[] => events.flatMap((event) => (event.type === 'target.step' ? [event.step] : []));

test.each([
  ['first', FIRST_ATTEMPT, 120_000],
  ['second', second, 180_000],
])('a reset may take a minute and three times the grace, and more on later attempts: the %s', async (_, attempt, deadlineMs) => {
  const tried = tryNode(
    fakeCard(() => new Promise(() => {})),
    attempt,
  );
  await until(() => tried.ended.length > 0, 200);
  expect(tried.ended[0]).toMatchObject({ failure: { code: 'reset-deadline' }, atMs: deadlineMs });
  expect(stepsOf(tried.events)).toEqual(['pxe', 'reset']);
  expect(tried.links).toEqual(['placed', 'gone']); // nobody is to boot the small system by accident
});

test('a node that does not come up is switched off and on once, and gets the same time again', async () => {
  const card = fakeCard(async () => 'on');
  const tried = tryNode(card, FIRST_ATTEMPT);
  await until(() => tried.ended.length > 0, 300);
  const { failure, atMs } = tried.ended[0] ?? {};
  expect(failure).toMatchObject({ code: 'boot-deadline' });
  expect(failure).toBeInstanceOf(Failure);
  expect(atMs).toBeGreaterThanOrEqual(200_000);
  expect(atMs).toBeLessThan(210_000);
  expect(card.asked).toEqual(['status', 'reset', 'off', 'on']);
  expect(stepsOf(tried.events)).toEqual(['pxe', 'reset', 'boot', 'reset', 'boot']);
  expect(tried.events).toContainEqual({
    type: 'target.retry',
    target: 'fit07',
    step: 'boot',
    reason: 'nothing answered before the reset, and nothing has come up 100 s after it; switching off and on',
  });
  expect(tried.links).toEqual(['placed', 'gone']);
});

test('a later attempt begins with off and on, has half as long again, and repeats nothing', async () => {
  const card = fakeCard(async () => 'on');
  const tried = tryNode(card, second);
  await until(() => tried.ended.length > 0, 300);
  expect(tried.ended[0]).toMatchObject({ failure: { code: 'boot-deadline' } });
  expect(tried.ended[0]?.atMs).toBeGreaterThanOrEqual(150_000);
  expect(tried.ended[0]?.atMs).toBeLessThan(160_000);
  expect(card.asked).toEqual(['status', 'off', 'on']);
  expect(stepsOf(tried.events)).toEqual(['pxe', 'reset', 'boot']);
});

test('without a reset nothing is placed, and no card is asked for anything', async () => {
  const card = fakeCard(async () => 'on');
  const tried = tryNode(card, FIRST_ATTEMPT, { reset: false });
  await until(() => tried.ended.length > 0, 120);
  expect(tried.ended[0]).toMatchObject({ failure: { code: 'boot-deadline' } });
  expect([card.asked, tried.links, stepsOf(tried.events)]).toEqual([[], [], ['boot']]);
});
