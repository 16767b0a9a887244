import { describe, expect, test } from 'vitest';
import { applyEvent, emptyState, targetsIn, type RunState } from '../../src/events/reducer.js';
import type { EventBody } from '../../src/events/types.js';
import { steps, type Work } from '../../src/events/work.js';

const work: Work = {
  kind: 'drive',
  steps: steps({
    open: { early: true },
    burn: { moves: 'bytes', disk: 'in-write' },
    compare: { moves: 'bytes', disk: 'judged' },
    eject: { disk: 'written' },
  }),
  leftBehind: [],
};

/** The state after these events, 10 ms apart from 1,000 on. */
function fold(...events: EventBody[]): RunState {
  const started: EventBody = { type: 'run.started', schema: 2, command: 'flash', ...work, targets: ['sda', 'sdb'], details: {} };
  const state = emptyState();
  for (const [seq, body] of [started, ...events].entries()) applyEvent(state, { at: 1_000 + 10 * seq, run: 'r', seq, ...body });
  return state;
}

const step = (name: string, attempt = 1): EventBody => ({ type: 'target.step', target: 'sda', step: name, attempt });
const retry = (name: string): EventBody => ({ type: 'target.retry', target: 'sda', step: name, reason: 'no' });
const progress: EventBody = { type: 'target.progress', target: 'sda', doneBytes: 5, totalBytes: 9 };
const note: EventBody = { type: 'target.note', target: 'sda', step: 'burn', text: 'late words' };
const done: EventBody = { type: 'target.done', target: 'sda', elapsedMs: 7, result: { type: 'words', words: 'fine' }, remarks: ['slow'] };
const failed: EventBody = {
  type: 'target.failed',
  target: 'sda',
  step: 'burn',
  code: 'x',
  message: 'm',
  hint: null,
  blame: 'site',
  elapsedMs: 7,
};
const skipped: EventBody = { type: 'target.skipped', target: 'sda', reason: 'no turn' };

test('a target is where its last event says', () => {
  expect(fold().targets.get('sda')).toMatchObject({ phase: 'waiting', step: null, facts: null, disk: 'as-it-was' });
  expect(fold(step('burn', 2), progress).targets.get('sda')).toMatchObject({
    phase: 'active',
    attempt: 2,
    doneBytes: 5,
    totalBytes: 9,
    facts: { name: 'burn', moves: 'bytes' },
  });
  expect(fold(done).targets.get('sda')).toMatchObject({ phase: 'done', result: { words: 'fine' }, remarks: ['slow'], elapsedMs: 7 });
  expect(fold(failed).targets.get('sda')).toMatchObject({
    phase: 'failed',
    step: 'burn',
    failure: { target: 'sda', code: 'x', blame: 'site' },
  });
  expect(fold(skipped).targets.get('sda')).toMatchObject({ phase: 'skipped', note: 'no turn' });
  expect(targetsIn(fold(done), 'waiting')).toEqual(['sdb']);
  expect(fold().kind).toBe('drive');
});

describe('what a task says that was given up changes nothing', () => {
  const late: EventBody[] = [step('compare', 2), note, retry('burn'), progress, done, failed, skipped];

  test.each([
    ['done', done],
    ['failed', failed],
  ])('after it has %s', (_, end) => {
    const before = fold(step('burn'), end).targets.get('sda');
    for (const event of late) expect(fold(step('burn'), end, event).targets.get('sda'), event.type).toEqual(before);
  });

  test('one that was skipped may still have its turn', () => {
    expect(fold(skipped, step('open')).targets.get('sda')).toMatchObject({ phase: 'active', step: 'open' });
  });
});

test.each<[string, EventBody[], string]>([
  ['before it is written', [step('open')], 'as-it-was'],
  ['while it is', [step('open'), step('burn')], 'in-write'],
  ['once more', [step('burn'), retry('burn'), step('open', 2)], 'in-write'],
  ['while it is compared', [step('burn'), step('compare')], 'written'],
  ['compared and found wrong', [step('burn'), step('compare'), retry('compare')], 'in-write'],
  ['at the end', [step('burn'), step('compare'), step('eject')], 'written'],
  ['when another step is tried again', [step('burn'), step('compare'), step('eject'), retry('eject')], 'written'],
  ['compared though never written', [step('compare'), retry('compare')], 'as-it-was'],
  ['at a step that nobody has told of', [step('burn'), step('strange')], 'in-write'],
])('the disk %s', (_, events, disk) => expect(fold(...events).targets.get('sda')?.disk).toBe(disk));

test('time in a step counts until it is left, all attempts together', () => {
  const { stepsMs } = fold(step('open'), note, step('burn'), step('open', 2), step('burn', 2), done).targets.get('sda') ?? {};
  expect(stepsMs).toEqual({ open: 30, burn: 20 });
});

test('an event of a target that was not announced makes it known', () => {
  expect(fold({ type: 'target.note', target: 'sdc', step: 'open', text: 'hi' }).targets.get('sdc')).toMatchObject({ note: 'hi' });
});
