import { expect, test } from 'vitest';
import { applyEvent, emptyState, type RunState } from '../../src/events/reducer.js';
import type { EventBody } from '../../src/events/types.js';
import { PaceMeter, type Pace } from '../../src/monitor/pace.js';
import { loadWork } from '../../src/workflows/node-steps.js';

const MB = 1_000_000;

function run(nodes: string[]): { state: RunState; tell(body: EventBody): void } {
  const state = emptyState();
  let seq = 0;
  const tell = (body: EventBody): void => void applyEvent(state, { at: 0, run: 'r', seq: seq++, ...body });
  tell({ type: 'run.started', schema: 2, command: 'load', ...loadWork(true), targets: nodes, details: {} });
  return { state, tell };
}

/** Both nodes write at so many bytes a second for so long; the pace at the end. */
function after(seconds: number, rates: Record<string, number>, extra: string[] = []): Pace {
  const { state, tell } = run([...Object.keys(rates), ...extra]);
  const meter = new PaceMeter();
  for (const node of Object.keys(rates)) tell({ type: 'target.step', target: node, step: 'write', attempt: 1 });
  let pace = meter.observe(state, 0);
  for (let second = 0; second <= seconds; second += 0.5) {
    for (const [node, rate] of Object.entries(rates))
      tell({ type: 'target.progress', target: node, doneBytes: rate * second + 1, totalBytes: 100 * MB });
    pace = meter.observe(state, second * 1000 + 1);
  }
  return pace;
}

test('no ETA before it means something', () => {
  expect(after(2, { fit01: MB, fit02: MB }).etaMs).toBeNull();
  expect(after(10, { fit01: 1_000 }).etaMs).toBeNull(); // ten seconds, and hardly any of the data
});

test('the slowest node decides; the rate is that of all', () => {
  const { etaMs, rateBps, open } = after(10, { fit01: 2 * MB, fit02: MB });
  expect(etaMs).toBeGreaterThan(85_000);
  expect(etaMs).toBeLessThan(95_000);
  expect(rateBps).toBeCloseTo(3 * MB, -5);
  expect(open).toBe(false);
});

test('nodes that have not begun or stand still leave the end open', () => {
  expect(after(10, { fit01: MB }, ['fit02']).open).toBe(true);
  expect(after(10, { fit01: MB, fit02: 0 })).toMatchObject({ open: true });
  expect(after(10, { fit01: MB, fit02: 0 }).etaMs).toBeLessThan(95_000);
});

test('another attempt starts from nothing, and what comes after the write has no ETA', () => {
  const { state, tell } = run(['fit01']);
  const meter = new PaceMeter();
  const at = (second: number, doneBytes: number): Pace => {
    tell({ type: 'target.progress', target: 'fit01', doneBytes, totalBytes: 100 * MB });
    return meter.observe(state, second * 1000);
  };
  tell({ type: 'target.step', target: 'fit01', step: 'write', attempt: 1 });
  for (let second = 0; second < 10; second += 1) at(second, second * MB + 1);
  expect(at(10, 10 * MB).etaMs).not.toBeNull();
  tell({ type: 'target.step', target: 'fit01', step: 'write', attempt: 2 });
  expect(at(11, MB).etaMs).toBeNull();
  tell({ type: 'target.step', target: 'fit01', step: 'reboot', attempt: 2 });
  expect(meter.observe(state, 12_000)).toEqual({ rateBps: null, etaMs: null, open: false });
});
