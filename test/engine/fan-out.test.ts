import { expect, test } from 'vitest';
import type { EventBody } from '../../src/events/types.js';
import { sleep } from '../../src/util/abort.js';
import { Failure } from '../../src/util/errors.js';
import { systemHost } from '../../src/util/host.js';
import { fanOut } from '../../src/engine/fan-out.js';
import { Interrupted } from '../../src/engine/interrupted.js';
import { someNodes } from '../helpers/nodes.js';
import { fail as powerFail } from '../../src/power/failures.js';
import { fail as telnetFail } from '../../src/telnet/failures.js';

function setup(more: { concurrency?: number; targetDeadlineMs?: number; signal?: AbortSignal } = {}) {
  const events: EventBody[] = [];
  const options = {
    concurrency: 100,
    targetDeadlineMs: 60_000,
    firstStep: 'reset',
    signal: new AbortController().signal,
    host: systemHost,
    emit: (event: EventBody) => void events.push(event),
    ...more,
  } as const;
  return { events, options };
}

test('a failing node is a value and costs the others nothing', async () => {
  const { options, events } = setup();
  const outcomes = await fanOut(someNodes(1, 3), options, async (node) => {
    if (node.name === 'fit02')
      await node.at('boot', 1_000, async () => Promise.reject(telnetFail('telnet-silent', 'fit02: silent', 'look at it')));
    return node.name;
  });
  expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, false, true]);
  expect(outcomes[1]).toMatchObject({
    failure: { target: 'fit02', blame: 'node', step: 'boot', code: 'telnet-silent', message: 'silent', hint: 'look at it' },
  });
  expect(events.filter((event) => event.type === 'target.failed')).toHaveLength(1);
});

test('an unknown error is a bug of ours, told with its stack, on its node only', async () => {
  const { options } = setup();
  const outcomes = await fanOut(someNodes(1, 2), options, async (node) => {
    if (node.name === 'fit01') throw new TypeError('x is not a function');
    return 1;
  });
  expect(outcomes[0]).toMatchObject({ ok: false, failure: { code: 'bug', blame: 'run' } });
  expect(outcomes[1]).toMatchObject({ ok: true, value: 1 });
});

test('a gateway that may open no more files is not a node that failed', async () => {
  const { options } = setup();
  const cause = Object.assign(new Error('connect EMFILE 127.0.1.1:80'), { code: 'EMFILE' });
  const lost = powerFail('cmc-closed', 'reboot01: lost its connection (EMFILE)', undefined, { cause });
  const [outcome] = await fanOut(someNodes(1, 1), options, async () => Promise.reject(lost.with({ message: 'twice' })));
  expect(outcome).toMatchObject({ failure: { code: 'environment', blame: 'site', hint: expect.stringContaining('ulimit') as unknown } });
});

test('a step ends at its own deadline and says what was seen last', async () => {
  const { options } = setup();
  const [outcome] = await fanOut(someNodes(7, 7), options, (node) =>
    node.at('boot', 30, async (signal) => {
      node.seen(telnetFail('telnet-refused', 'telnet 127.0.3.7:23 refused', 'is it up?'));
      await sleep(60_000, signal);
    }),
  );
  expect(outcome).toMatchObject({ failure: { step: 'boot', code: 'boot-deadline', hint: 'is it up?' } });
  expect(outcome?.ok === false && outcome.failure.message).toMatch(/0 s; last seen: telnet 127\.0\.3\.7:23 refused/);
});

test('a node that ignores its signal still ends at its deadline', async () => {
  const { options } = setup({ targetDeadlineMs: 30 });
  const [outcome] = await fanOut(someNodes(1, 1), options, () => new Promise<never>(() => {}));
  expect(outcome).toMatchObject({ ok: false, failure: { code: 'target-deadline', step: 'reset' } });
});

test('an interrupt ends every node, running or waiting for its turn', async () => {
  const controller = new AbortController();
  const { options } = setup({ concurrency: 2, signal: controller.signal });
  let started = 0;
  const work = fanOut(someNodes(1, 10), options, async (node) => {
    started += 1;
    if (started === 2) controller.abort(new Interrupted('SIGINT', 130));
    await sleep(60_000, node.signal);
  });
  const outcomes = await work;
  expect(outcomes.every((outcome) => !outcome.ok && outcome.failure.code === 'interrupted')).toBe(true);
  expect(started).toBe(2);
});

test('never more nodes at once than asked for', async () => {
  const { options } = setup({ concurrency: 3 });
  let [now, most] = [0, 0];
  await fanOut(someNodes(1, 20), options, async () => {
    most = Math.max(most, ++now);
    await sleep(1);
    now -= 1;
  });
  expect(most).toBe(3);
});
