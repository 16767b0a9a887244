import { expect, test } from 'vitest';
import { applyEvent, emptyState } from '../../src/events/reducer.js';
import type { EventBody } from '../../src/events/types.js';
import { renderRows as layout, plainly, type Shown } from '../../src/monitor/rows.js';
import { renderSummary } from '../../src/monitor/summary.js';
import { bar, fit, formatBytes, formatDuration } from '../../src/monitor/format.js';

function stateOf(count: number, events: EventBody[]) {
  const names = Array.from({ length: count }, (_, i) => `fit${String(i + 1).padStart(2, '0')}`);
  const state = emptyState();
  const all: EventBody[] = [{ type: 'run.started', schema: 1, command: 'load', nodes: names, details: {} }, ...events];
  all.forEach((body, seq) => applyEvent(state, { at: 1_000, run: 'r', seq, ...body }));
  return state;
}
const renderRows = (state: ReturnType<typeof emptyState>, width: number, height: number, nowMs: number, shown: Partial<Shown> = {}): string[] => layout(state, width, height, nowMs, { ...plainly, ...shown }).map(({ text }) => text);
const failed = (node: string): EventBody => ({ type: 'node.failed', node, step: 'boot', code: 'telnet-silent', message: 'silent\nfor 80 s', hint: 'look at it', elapsedMs: 80_000 });
const done = (node: string): EventBody => ({ type: 'node.done', node, elapsedMs: 1_000, detail: null });

test('never as tall as the terminal, never wider', () => {
  for (const count of [1, 10, 100]) {
    for (const [width, height] of [[80, 24], [40, 10], [200, 60], [20, 3], [10, 1]] as const) {
      const rows = renderRows(stateOf(count, [failed('fit01')]), width, height, 2_000);
      expect(rows.length).toBeLessThanOrEqual(Math.max(0, height - 2));
      expect(rows.every((row) => row.length <= width)).toBe(true);
    }
  }
});

test('failed first, then active, then the rest folded into a count', () => {
  const state = stateOf(100, [done('fit01'), { type: 'node.step', node: 'fit50', step: 'write', attempt: 1 }, failed('fit99')]);
  const rows = renderRows(state, 80, 12, 2_000);
  expect(rows[2]).toMatch(/^x fit99 +FAILED at boot: silent \| for 80 s/);
  expect(rows[3]).toMatch(/^> fit50 +write/);
  expect(rows.at(-1)).toBe('... 93 more: 92 waiting 1 ok');
});

test('progress of a node and of all', () => {
  const state = stateOf(2, [{ type: 'node.step', node: 'fit01', step: 'write', attempt: 1 }, { type: 'node.progress', node: 'fit01', doneBytes: 50, totalBytes: 100 }, done('fit02')]);
  const rows = renderRows(state, 100, 24, 2_000);
  expect(rows[1]).toContain(' 75 %');
  expect(rows[2]).toContain(' 50 %');
});

test('what a peer says cannot paint the screen', () => {
  const state = stateOf(1, [{ type: 'node.note', node: 'fit01', step: 'boot', text: 'x\u001b[2J\ny' }, { type: 'node.step', node: 'fit01', step: 'boot', attempt: 1 }, { type: 'node.note', node: 'fit01', step: 'boot', text: 'x\u001b[2J\ny' }]);
  expect(renderRows(state, 80, 24, 0).join('')).not.toContain('\u001b');
});

test('the final table names who failed, where and why', () => {
  const state = stateOf(3, [done('fit01'), failed('fit02'), done('fit03'), { type: 'run.finished', ok: [], failed: [], skipped: [], exitCode: 1, elapsedMs: 61_000 }]);
  expect(renderSummary(state, (names) => names.join(','))).toEqual([
    'ok          2  fit01,fit03',
    'failed      1  fit02',
    '  fit02  at boot: silent | for 80 s [telnet-silent]',
    '         try: look at it',
    'imaging-load: 2 of 3 ok in 1:01',
  ]);
});

test('formats', () => {
  expect([0, 999, 1000, 1_500_000, 999_960].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '1.5 MB', '1.0 MB']);
  expect([0, 4_230, 59_960, 3_723_000].map(formatDuration)).toEqual(['0.0 s', '4.2 s', '1:00', '1:02:03']);
  expect([bar(0, 4), bar(0.5, 4), bar(2, 4)]).toEqual(['....', '##..', '####']);
  expect(fit('abcdef', 4)).toBe('abc~');
});
