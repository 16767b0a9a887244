import { expect, test } from 'vitest';
import { isFuture, pastBoot } from '../../../src/workflows/steps/past-boot.js';
import { oneNode } from '../../helpers/nodes.js';
import { nodeRun } from '../../helpers/node-run.js';

const NOW = 1_800_000_000_000;

test('a reset that is recorded in the future is ignored, with a warning', () => {
  const { run, events } = nodeRun(oneNode(7), { now: () => NOW });
  expect(pastBoot(run, NOW + 86_395_000)).toBeNull();
  expect(events).toEqual([
    {
      type: 'run.warning',
      text: expect.stringMatching(/^fit07: its last reset is recorded 24 h in the future: .*the record is ignored/) as unknown,
    },
  ]);
});

test('one of the past, and one of a clock that is hardly ahead, are believed in silence', () => {
  const { run, events } = nodeRun(oneNode(7), { now: () => NOW });
  expect([pastBoot(run, null), pastBoot(run, NOW - 1), pastBoot(run, NOW + 2_000)]).toEqual([null, NOW - 1, NOW + 2_000]);
  expect(events).toEqual([]);
  expect([isFuture(run.host, NOW + 4_999), isFuture(run.host, NOW + 5_001)]).toEqual([false, true]);
});
