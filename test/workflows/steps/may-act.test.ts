import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/events/outcome.js';
import type { EventBody } from '../../../src/events/types.js';
import { createLocalLeases } from '../../../src/leases/local.js';
import { createPermit } from '../../../src/leases/lease-check.js';
import { systemHost } from '../../../src/util/host.js';
import { fanOut } from '../../../src/engine/fan-out.js';
import type { NodeRun } from '../../../src/workflows/node-steps.js';
import { lockStep } from '../../../src/workflows/steps/may-act.js';
import { scratch } from '../../helpers/cli.js';
import { AT, fakeHost, HOUR, never } from '../../leases/settings.js';
import { someNodes } from '../../helpers/nodes.js';

const clock = fakeHost();
const host = { ...systemHost, now: clock.now };

/** A run of `owner` with two steps that cannot be taken back; the second begins when `until` resolves. */
async function twoSteps(
  owner: string,
  nodes: [number, number],
  until: Promise<void>,
  file: string,
  done: string[],
): Promise<Outcome<string>[]> {
  const permit = createPermit({ backend: createLocalLeases({ file, timeoutMs: 5_000 }, clock), owner, host: clock });
  const options = { concurrency: 10, targetDeadlineMs: Infinity, firstStep: 'lock', signal: never, host, emit: () => {} } as const;
  const outcomes = await fanOut(someNodes(...nodes), options, async (node: NodeRun) => {
    await lockStep(node, (name, signal) => permit.check(name, signal));
    done.push(`${node.name} reset`);
    await until;
    return node.at('write', 60_000, async (signal) => {
      await permit.check(node.name, signal);
      done.push(`${node.name} write`);
      return 'written';
    });
  });
  permit.close();
  return outcomes;
}

test('a lease that ends in the middle of a run stops the next step of its owner, and nobody else’s', async () => {
  const file = `${scratch()}/leases.db`;
  const leases = createLocalLeases({ file, timeoutMs: 5_000 }, clock);
  await leases.book({ owner: 'alice', fromMs: AT, untilMs: AT + HOUR, nodes: ['fit01', 'fit02'] }, never);
  await leases.book({ owner: 'bob', fromMs: AT, untilMs: AT + 3 * HOUR, nodes: ['fit03', 'fit04'] }, never);
  let goOn = (): void => {};
  const until = new Promise<void>((resolve) => (goOn = resolve));
  const done: string[] = [];
  const runs = Promise.all([twoSteps('alice', [1, 3], until, file, done), twoSteps('bob', [3, 4], until, file, done)]);
  await expect.poll(() => done.length).toBe(4);
  clock.advance(HOUR);
  goOn();
  const [alice, bob] = await runs;
  expect(alice.map((outcome) => (outcome.ok ? 'ok' : `${outcome.target} ${outcome.failure.step} ${outcome.failure.code}`))).toEqual([
    'fit01 write no-lease',
    'fit02 write no-lease',
    'fit03 lock no-lease',
  ]);
  expect(bob.map((outcome) => outcome.ok)).toEqual([true, true]);
  expect(done.sort()).toEqual(['fit01 reset', 'fit02 reset', 'fit03 reset', 'fit03 write', 'fit04 reset', 'fit04 write']);
});

test('without a permit there is no such step', async () => {
  const steps: EventBody[] = [];
  const options = {
    concurrency: 1,
    targetDeadlineMs: Infinity,
    firstStep: 'cmc',
    signal: never,
    host,
    emit: (event: EventBody) => void steps.push(event),
  } as const;
  await fanOut(someNodes(1, 1), options, (node: NodeRun) => lockStep(node, null));
  expect(steps.map(({ type }) => type)).toEqual(['target.done']);
});
