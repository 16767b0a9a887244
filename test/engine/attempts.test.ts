import { expect, test } from 'vitest';
import type { EventBody } from '../../src/events/types.js';
import { sleep } from '../../src/util/abort.js';
import { Failure } from '../../src/util/errors.js';
import { systemHost } from '../../src/util/host.js';
import { type Attempt, inAttempts } from '../../src/engine/attempts.js';
import { fanOut } from '../../src/engine/fan-out.js';
import type { NodeRun } from '../../src/workflows/node-steps.js';
import { someNodes } from '../helpers/nodes.js';
import { fail } from '../../src/engine/failures.js';
import { fail as frisbeeFail } from '../../src/frisbee/failures.js';
import { fail as leaseFail } from '../../src/leases/failures.js';
import { fail as pxeFail } from '../../src/pxe/failures.js';
import { fail as workflowFail } from '../../src/workflows/failures.js';

/** One node, tried under a plan; what happened to it. */
async function tryNode(
  plan: { passes?: number; attemptDeadlineMs?: number; targetDeadlineMs?: number },
  work: (node: NodeRun, attempt: Attempt) => Promise<string>,
  mayRetry = () => true,
) {
  const events: EventBody[] = [];
  const options = {
    concurrency: 1,
    targetDeadlineMs: plan.targetDeadlineMs ?? Infinity,
    firstStep: 'lock',
    signal: new AbortController().signal,
    host: systemHost,
    emit: (event: EventBody) => void events.push(event),
  } as const;
  const [outcome] = await fanOut(someNodes(7, 7), options, (node: NodeRun) =>
    inAttempts(node, { passes: 2, pauseMs: 1, attemptDeadlineMs: 60_000, ...plan }, mayRetry, work),
  );
  return { outcome, events, retries: events.filter((event) => event.type === 'target.retry') };
}

test('a node that fails is tried again, harder, and its events say which attempt they belong to', async () => {
  const attempts: Attempt[] = [];
  const { outcome, events, retries } = await tryNode({ passes: 3 }, async (node, attempt) => {
    attempts.push(attempt);
    return node.at('boot', 1_000, async () => (attempt.number < 3 ? Promise.reject(fail('boot-deadline', 'nothing came up')) : 'up'));
  });
  expect(outcome).toMatchObject({ ok: true, value: 'up' });
  expect(attempts).toEqual([
    { number: 1, repeatsSteps: true, patience: 1 },
    { number: 2, repeatsSteps: false, patience: 1.5 },
    { number: 3, repeatsSteps: false, patience: 2 },
  ]);
  expect(events.flatMap((event) => (event.type === 'target.step' ? [event.attempt] : []))).toEqual([1, 2, 3]);
  expect(retries.map((event) => event.reason)).toEqual([
    'nothing came up; trying it again (2 of 3)',
    'nothing came up; trying it again (3 of 3)',
  ]);
});

test('the last failure is the node’s, at the step it happened', async () => {
  const { outcome } = await tryNode({}, async (node, { number }) =>
    node.at(number === 1 ? 'boot' : 'write', 1_000, async () =>
      Promise.reject(fail(number === 1 ? 'boot-deadline' : 'write-deadline', 'no')),
    ),
  );
  expect(outcome).toMatchObject({ ok: false, failure: { step: 'write', code: 'write-deadline' } });
});

test.each([
  pxeFail('node-busy', 'no'),
  pxeFail('pxe-permission', 'no'),
  leaseFail('no-lease', 'no'),
  workflowFail('no-such-program', 'no'),
  frisbeeFail('server-crashed', 'no'), // a run starts its server once
  fail('ssh-deadline', 'no'),
])('$code is not tried again: that does not cure it', async (failure) => {
  const { outcome, retries } = await tryNode({ passes: 5 }, async () => Promise.reject(failure));
  expect(outcome).toMatchObject({ ok: false, failure: { code: failure.code, blame: failure.blame } });
  expect(retries).toEqual([]);
});

test('a defect is not tried again', async () => {
  const { outcome, retries } = await tryNode({ passes: 5 }, async () => Promise.reject(new TypeError('oops')));
  expect(outcome).toMatchObject({ ok: false, failure: { code: 'bug' } });
  expect(retries).toEqual([]);
});

test('nobody is tried again when it no longer makes sense', async () => {
  const { retries } = await tryNode(
    { passes: 5 },
    async () => Promise.reject(fail('boot-deadline', 'no')),
    () => false,
  );
  expect(retries).toEqual([]);
});

test('an attempt that takes too long ends, is waited for while it leaves the node, and is followed by another', async () => {
  const order: string[] = [];
  const { outcome } = await tryNode({ attemptDeadlineMs: 30 }, async (node, { number }) => {
    order.push(`begin ${number}`);
    if (number === 2) return 'done';
    await sleep(60_000, node.signal).catch(() => {});
    await sleep(40); // it resets the node it leaves
    order.push('left 1');
    throw fail('step-deadline', 'ended');
  });
  expect(order).toEqual(['begin 1', 'left 1', 'begin 2']);
  expect(outcome).toMatchObject({ ok: true, value: 'done' });
});

test('the time for all attempts together ends them', async () => {
  const { outcome, retries } = await tryNode({ targetDeadlineMs: 40, passes: 9 }, async (node) => {
    await sleep(60_000, node.signal);
    return 'never';
  });
  expect(outcome).toMatchObject({ ok: false, failure: { code: 'target-deadline' } });
  expect(retries).toEqual([]);
});
