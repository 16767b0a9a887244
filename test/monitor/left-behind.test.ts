import { expect, test } from 'vitest';
import { applyEvent, emptyState, type RunState } from '../../src/events/reducer.js';
import type { EventBody } from '../../src/events/types.js';
import type { Work } from '../../src/events/work.js';
import { leavingQuestion } from '../../src/monitor/leaving.js';
import { leftBehind } from '../../src/monitor/left-behind.js';
import { renderSummary } from '../../src/monitor/summary.js';
import { loadWork, powerWork, saveWork, waitWork, type NodeStep } from '../../src/workflows/node-steps.js';

const fold = (names: string[]): string => names.join(',');

function workOf(command: string, { reset = true }: { reset?: unknown }): Work {
  if (command === 'load') return loadWork(reset === true);
  if (command === 'save') return saveWork(reset === true);
  return command === 'wait' ? waitWork : powerWork(true);
}

function run(command: string, details: Record<string, unknown>, nodes: string[], events: EventBody[]): RunState {
  const state = emptyState();
  const bodies: EventBody[] = [
    { type: 'run.started', schema: 2, command, ...workOf(command, details), targets: nodes, details },
    ...events,
  ];
  for (const [seq, body] of bodies.entries()) applyEvent(state, { at: seq, run: 'r', seq, ...body });
  return state;
}

const step = (node: string, name: NodeStep, attempt = 1): EventBody => ({ type: 'target.step', target: node, step: name, attempt });
const cut = (node: string, name: NodeStep): EventBody => ({
  type: 'target.failed',
  target: node,
  step: name,
  code: 'interrupted',
  message: 'interrupted by SIGINT',
  hint: null,
  blame: 'run',
  elapsedMs: 1,
});
const stop: EventBody = { type: 'run.interrupted', signal: 'SIGINT', then: 'stop' };
const way = (node: string, ...steps: NodeStep[]): EventBody[] => [
  ...steps.map((name) => step(node, name)),
  cut(node, steps.at(-1) ?? 'lock'),
];

test.each<[command: string, details: Record<string, unknown>, events: EventBody[], place: RegExp | null]>([
  ['load', {}, way('a'), /was not touched/],
  ['load', {}, way('a', 'lock', 'pxe'), /was not touched/],
  ['load', {}, way('a', 'lock', 'pxe', 'reset'), /was only reset: disks are as they were/],
  ['load', {}, way('a', 'lock', 'pxe', 'reset', 'boot'), /was only reset: disks are as they were/],
  ['load', { reset: false }, way('a', 'lock', 'boot'), /was not touched/],
  ['load', {}, way('a', 'boot', 'write'), /cut off in the middle of the write.*nothing bootable: load them again/],
  ['load', {}, way('a', 'boot', 'write', 'check'), /nothing bootable/],
  ['load', {}, way('a', 'boot', 'write', 'check', 'verify'), /was written, and not read back/],
  ['load', {}, way('a', 'write', 'check', 'verify', 'reboot'), /was written; perhaps the reset/],
  ['load', {}, way('a', 'write', 'check', 'verify', 'reboot', 'ssh'), /nobody has waited for ssh/],
  [
    'load',
    {},
    [step('a', 'write'), { type: 'target.retry', target: 'a', step: 'write', reason: 'no' }, step('a', 'reset', 2), cut('a', 'reset')],
    /between two tries: .*nothing bootable/,
  ],
  [
    'load',
    {},
    [
      step('a', 'write'),
      step('a', 'verify'),
      { type: 'target.retry', target: 'a', step: 'verify', reason: 'no' },
      step('a', 'boot', 2),
      cut('a', 'boot'),
    ],
    /between two tries: .*nothing bootable/,
  ],
  ['load', {}, way('a', 'lock', 'check'), /was not touched/],
  ['save', {}, way('a', 'lock'), /was not touched/],
  ['save', {}, way('a', 'lock', 'pxe', 'reset'), /was only reset/],
  ['save', { reset: false }, way('a', 'lock', 'boot'), /was not touched/],
  ['save', {}, way('a', 'read', 'check', 'reboot'), /was read; perhaps the reset that ends/],
  ['save', {}, way('a', 'boot', 'stamp', 'read'), /was being read.*no image is kept/],
  ['reset', {}, way('a', 'cmc'), /may have done/],
  ['reset', {}, way('a', 'lock'), /was not touched/],
  ['wait', {}, way('a', 'ssh'), null],
])('%s %j: where an interrupt leaves a node (%#)', (command, details, events, place) => {
  const lines = leftBehind(run(command, details, ['a'], [stop, ...events]), fold);
  if (place === null) return expect(lines).toEqual([]);
  expect(lines).toEqual([expect.stringMatching(place)]);
  expect(lines[0]).toMatch(/^1 node \(a\) /);
  expect(lines[0]).not.toContain('|');
});

test('the table has nodes of one fate in one line, and those that failed by themselves as ever', () => {
  const events: EventBody[] = [
    step('a', 'write'),
    step('b', 'write'),
    step('c', 'boot'),
    {
      type: 'target.failed',
      target: 'd',
      step: 'write',
      code: 'frisbee-failed',
      message: 'status 1',
      hint: 'h',
      blame: 'node',
      elapsedMs: 1,
    },
    stop,
    cut('a', 'write'),
    cut('b', 'write'),
    cut('c', 'boot'),
  ];
  const lines = renderSummary(run('load', {}, ['a', 'b', 'c', 'd'], events), fold);
  expect(lines).toContain('  a,b  at write: interrupted by SIGINT [interrupted]');
  expect(lines).toContain('  d  at write: status 1 [frisbee-failed]');
  expect(lines.filter((line) => line.startsWith('2 nodes (a,b) were cut off'))).toHaveLength(1);
});

test('a run that nobody has interrupted says nothing of it', () => {
  expect(leftBehind(run('load', {}, ['a'], way('a', 'write')), fold)).toEqual([]);
});

test('the question says how many disks ending would spoil', () => {
  const writing = [step('a', 'write'), step('b', 'write'), step('c', 'boot')];
  const ask = (details: Record<string, unknown>, events: EventBody[], width = 80): string =>
    leavingQuestion(run('load', details, ['a', 'b', 'c'], events), width).join(' / ');
  expect(ask({}, writing)).toBe(
    '2 nodes are being written: their disks will be unusable until loaded again / q again ends the run and leaves nodes as they are then; any other key: go on',
  );
  expect(ask({}, [step('a', 'boot')])).toBe('q again ends the run and leaves nodes as they are then; any other key: go on');
  expect(ask({ onInterrupt: 'finish' }, writing)).toMatch(/^2 nodes are being written: that is brought to its end/);
  expect(ask({ onInterrupt: 'finish' }, [...writing, { type: 'run.interrupted', signal: 'SIGINT', then: 'finish' }])).toMatch(
    /^2 nodes are being written: their disks will be unusable/,
  );
  for (const width of [40, 59, 80])
    for (const line of leavingQuestion(run('load', {}, ['a', 'b', 'c'], writing), width)) expect(line.length).toBeLessThanOrEqual(width);
});
