import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { applyEvent, emptyState } from '../../src/events/reducer.js';
import type { EventBody } from '../../src/events/types.js';
import { renderRows as layout, plainly, type Shown } from '../../src/monitor/rows.js';
import { openPlain, resolveMode } from '../../src/monitor/monitor.js';
import { paint } from '../../src/monitor/row.js';
import { firstView, type View } from '../../src/monitor/view.js';
import { renderSummary } from '../../src/monitor/summary.js';
import { bar, fit, formatBytes, formatDuration } from '../../src/monitor/format.js';
import { loadWork, saveWork } from '../../src/workflows/node-steps.js';

function stateOf(count: number, events: EventBody[], work = loadWork(true)) {
  const names = Array.from({ length: count }, (_, i) => `fit${String(i + 1).padStart(2, '0')}`);
  const state = emptyState();
  const all: EventBody[] = [{ type: 'run.started', schema: 2, command: 'load', ...work, targets: names, details: {} }, ...events];
  all.forEach((body, seq) => applyEvent(state, { at: 1_000, run: 'r', seq, ...body }));
  return state;
}
const renderRows = (
  state: ReturnType<typeof emptyState>,
  width: number,
  height: number,
  nowMs: number,
  shown: Partial<Shown> = {},
): string[] => layout(state, width, height, nowMs, { ...plainly, ...shown }).map(({ text }) => text);
const failed = (node: string): EventBody => ({
  type: 'target.failed',
  target: node,
  step: 'boot',
  code: 'telnet-silent',
  message: 'silent\nfor 80 s',
  hint: 'look at it',
  blame: 'node',
  elapsedMs: 80_000,
});
const done = (node: string): EventBody => ({ type: 'target.done', target: node, elapsedMs: 1_000, result: null });

test('never as tall as the terminal, never wider', () => {
  for (const count of [1, 10, 100]) {
    for (const [width, height] of [
      [80, 24],
      [40, 10],
      [200, 60],
      [20, 3],
      [10, 1],
    ] as const) {
      const rows = renderRows(stateOf(count, [failed('fit01')]), width, height, 2_000);
      expect(rows.length).toBeLessThanOrEqual(Math.max(0, height - 2));
      expect(rows.every((row) => row.length <= width)).toBe(true);
    }
  }
});

test('failed first, then active, then the rest folded into a count', () => {
  const state = stateOf(100, [done('fit01'), { type: 'target.step', target: 'fit50', step: 'write', attempt: 1 }, failed('fit99')]);
  const rows = renderRows(state, 80, 12, 2_000);
  expect(rows[2]).toMatch(/^x fit99 +FAILED at boot: silent \| for 80 s/);
  expect(rows[3]).toMatch(/^> fit50 +write/);
  expect(rows.at(-1)).toBe('... 93 more: 92 waiting 1 ok');
});

test('progress of a node and of all', () => {
  const state = stateOf(2, [
    { type: 'target.step', target: 'fit01', step: 'write', attempt: 1 },
    { type: 'target.progress', target: 'fit01', doneBytes: 50, totalBytes: 100 },
    done('fit02'),
  ]);
  const rows = renderRows(state, 100, 24, 2_000);
  expect(rows[1]).toContain(' 75 %');
  expect(rows[2]).toContain(' 50 %');
});

test('reading back has a bar of its own, and does not take from what all have written', () => {
  const state = stateOf(2, [
    { type: 'target.step', target: 'fit01', step: 'verify', attempt: 1 },
    { type: 'target.progress', target: 'fit01', doneBytes: 30, totalBytes: 100 },
    done('fit02'),
  ]);
  const rows = renderRows(state, 100, 24, 2_000);
  expect(rows[1]).toContain('100 %');
  expect(rows[2]).toMatch(/verify .* 30 %/);
});

test('of how much nobody knows, only what has come is told, and at what rate', () => {
  const events: EventBody[] = [
    { type: 'target.step', target: 'fit01', step: 'read', attempt: 1 },
    { type: 'target.note', target: 'fit01', step: 'read', text: 'its last image here has 615.0 MB' },
    { type: 'target.progress', target: 'fit01', doneBytes: 30_000_000, totalBytes: 0 },
  ];
  const rows = renderRows(stateOf(2, events, saveWork(true)), 100, 24, 4_000);
  expect(rows[1]).toContain('  0 %');
  expect(rows[2]).toBe('> fit01  read   30.0 MB, 10.0 MB/s  its last image here has 615.0 MB');
});

test('as plain lines it is told every ten seconds', () => {
  let text = '';
  const state = emptyState();
  const monitor = openPlain(
    new Writable({ write: (bytes: Buffer, _encoding, done) => ((text += bytes.toString()), done()) }),
    state,
    false,
  );
  const tell = (at: number, body: EventBody): void => {
    const event = { at, run: 'r', seq: 0, ...body };
    applyEvent(state, event);
    monitor.sink(event);
  };
  tell(0, { type: 'run.started', schema: 2, command: 'save', ...saveWork(true), targets: ['fit01'], details: {} });
  tell(5_000, { type: 'target.step', target: 'fit01', step: 'read', attempt: 1 });
  for (let at = 5_250; at <= 40_000; at += 250)
    tell(at, { type: 'target.progress', target: 'fit01', doneBytes: (at - 5_000) * 1_000, totalBytes: 0 });
  expect(text.split('\n').filter((line) => line.includes('MB'))).toEqual([
    '+015s fit01 read: 10.0 MB, 1.0 MB/s',
    '+025s fit01 read: 20.0 MB, 1.0 MB/s',
    '+035s fit01 read: 30.0 MB, 1.0 MB/s',
  ]);
});

test('what a peer says cannot paint the screen', () => {
  const state = stateOf(1, [
    { type: 'target.note', target: 'fit01', step: 'boot', text: 'x\u001b[2J\ny' },
    { type: 'target.step', target: 'fit01', step: 'boot', attempt: 1 },
    { type: 'target.note', target: 'fit01', step: 'boot', text: 'x\u001b[2J\ny' },
  ]);
  expect(renderRows(state, 80, 24, 0).join('')).not.toContain('\u001b');
});

test('the final table names who failed, where and why', () => {
  const state = stateOf(3, [
    done('fit01'),
    failed('fit02'),
    done('fit03'),
    { type: 'run.finished', ok: [], failed: [], skipped: [], exitCode: 1, elapsedMs: 61_000 },
  ]);
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

test('a try again is shown, before nodes that go well', () => {
  const state = stateOf(3, [
    { type: 'target.step', target: 'fit01', step: 'lock', attempt: 1 },
    { type: 'target.step', target: 'fit02', step: 'write', attempt: 2 },
    { type: 'target.progress', target: 'fit02', doneBytes: 30, totalBytes: 100 },
  ]);
  const rows = renderRows(state, 80, 24, 2_000);
  expect(rows[2]).toMatch(/^> fit02 +write {2}\(try 2\) #+\.+ +30 %$/);
  expect(rows[3]).toMatch(/^> fit01 +lock$/);
});

test('a step that lasts shows how long', () => {
  const state = stateOf(1, [{ type: 'target.step', target: 'fit01', step: 'boot', attempt: 1 }]);
  expect(renderRows(state, 80, 24, 10_500)[2]).toBe('> fit01  boot');
  expect(renderRows(state, 80, 24, 43_900)[2]).toBe('> fit01  boot   42.0 s');
});

test('rate and ETA stand beside the bar, with fewer words on a narrow terminal', () => {
  const pace = { rateBps: 3_000_000, etaMs: 75_400, open: true };
  const writing: EventBody[] = [done('fit01'), { type: 'target.step', target: 'fit02', step: 'write', attempt: 1 }];
  expect(renderRows(stateOf(2, writing), 80, 24, 2_000, { pace })[1]).toMatch(/^\[#+\.+\] +50 % {2}ETA 1:15 or more {2}3\.0 MB\/s$/);
  const narrow = renderRows(stateOf(2, writing), 40, 24, 2_000, { pace })[1];
  expect(narrow).toMatch(/ETA 1:15\+ {2}3\.0 MB\/s$/);
});

test('a server that nobody listens to has no rate', () => {
  const server: EventBody[] = [
    { type: 'server.started', engine: 'embedded', group: 'g', port: 1, rateBps: 1, image: 'i' },
    { type: 'server.rate', port: 1, rateBps: 21_000_000, sentBlocks: 5, repeatedBlocks: 0, reason: 'measured' },
  ];
  const at = (step: 'write' | 'reset') =>
    renderRows(stateOf(1, [...server, { type: 'target.step', target: 'fit01', step, attempt: 1 }]), 80, 24, 2_000)[1];
  expect(at('write')).toContain('21 Mbit/s');
  expect(at('reset')).not.toContain('Mbit/s');
});

test('five rows are enough for the run as a whole', () => {
  expect(renderRows(stateOf(100, [failed('fit01'), done('fit02')]), 40, 5, 2_000)).toEqual([
    '  1 % 1 ok, 1 FAILED, 98 waiting of 100~',
    'x fit01   FAILED at boot: silent | for ~',
    '... 99 more: 98 waiting 1 ok',
  ]);
});

test('failed only', () => {
  const view = { ...firstView, failedOnly: true };
  expect(renderRows(stateOf(3, [failed('fit02')]), 80, 24, 2_000, { view }).slice(2)).toEqual([
    'x fit02  FAILED at boot: silent | for 80 s',
  ]);
  expect(renderRows(stateOf(3, []), 80, 24, 2_000, { view }).slice(2)).toEqual(['no node has failed']);
});

test('the chosen node is in view and marked, without colours as well', () => {
  const view: View = { ...firstView, mode: 'choose', chosen: 'fit60' };
  const rows = layout(stateOf(100, []), 80, 24, 2_000, { ...plainly, view });
  expect(rows.filter(({ tone }) => tone === 'chosen').map(({ text }) => text)).toEqual(['=>fit60   waiting']);
});

test('one node: why it failed in full, and the end of its log', () => {
  const view: View = { ...firstView, mode: 'one', chosen: 'fit01' };
  const message = `${'a long story '.repeat(10)}indeed`;
  const state = stateOf(1, [
    { type: 'target.step', target: 'fit01', step: 'boot', attempt: 2 },
    { ...failed('fit01'), message } as EventBody,
  ]);
  const rows = renderRows(state, 40, 24, 2_000, { view, log: (node, count) => [`${node} said`, `${count} lines at most`, '\u001b[2Jbad'] });
  expect(rows.join(' ')).toContain('a long story indeed');
  expect(rows).toContain('try: look at it');
  expect(rows.slice(-3)).toEqual(['fit01 said', expect.stringMatching(/^\d+ lines at most$/), ' [2Jbad']);
  expect(rows.length).toBeLessThanOrEqual(22);
});

test('the question whether to end the run takes a line wherever there is one', () => {
  for (const height of [5, 24])
    expect(renderRows(stateOf(9, []), 80, height, 2_000, { keys: true, view: { ...firstView, mode: 'leave' } }).at(-1)).toMatch(
      /^q again ends the run/,
    );
});

test('the newest warning is shown', () => {
  expect(
    renderRows(
      stateOf(1, [
        { type: 'run.warning', text: 'one' },
        { type: 'run.warning', text: 'two' },
      ]),
      80,
      24,
      2_000,
    ).at(-1),
  ).toBe('! warning: two (2 in all)');
});

test('colours repeat what words say, and can be left out', () => {
  const row = layout(stateOf(1, [failed('fit01')]), 80, 24, 2_000)[2];
  expect(row && paint(row, true)).toBe('\u001b[1;31mx fit01  FAILED at boot: silent | for 80 s\u001b[0m');
  expect(row && paint(row, false)).toBe('x fit01  FAILED at boot: silent | for 80 s');
});

test('a live screen needs a terminal that can move its cursor, and that no build server reads', () => {
  const tty = { isTTY: true };
  expect(resolveMode('auto', tty, { TERM: 'xterm' })).toBe('tty');
  expect(resolveMode('auto', {}, { TERM: 'xterm' })).toBe('plain');
  for (const env of [{ TERM: 'dumb' }, { TERM: 'xterm', CI: 'true' }, { CONTINUOUS_INTEGRATION: '1' }])
    for (const mode of ['auto', 'tty'] as const) expect(resolveMode(mode, tty, env)).toBe('plain');
  expect(resolveMode('auto', tty, { CI: 'false' })).toBe('tty');
  expect(resolveMode('json', tty, {})).toBe('json');
});
