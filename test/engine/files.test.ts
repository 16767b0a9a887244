import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fanOut } from '../../src/engine/fan-out.js';
import { createBus } from '../../src/events/bus.js';
import { applyEvent, emptyState, targetsIn, type RunState } from '../../src/events/reducer.js';
import { EVENT_SCHEMA } from '../../src/events/types.js';
import { steps, type StepOf, type Work } from '../../src/events/work.js';
import { leavingQuestion } from '../../src/monitor/leaving.js';
import { renderRows } from '../../src/monitor/rows.js';
import { renderSummary } from '../../src/monitor/summary.js';
import { eventText } from '../../src/monitor/text.js';
import { attemptOf } from '../../src/runs/history.js';
import { foldJournal } from '../../src/runs/journal.js';
import { PLAN_SCHEMA } from '../../src/runs/plan-file.js';
import { resultOf } from '../../src/runs/result-file.js';
import { newRunId, openRunFolder } from '../../src/runs/run-folder.js';
import { findRun, targetsByOutcome } from '../../src/runs/store.js';
import { failures } from '../../src/util/failures.js';

const fail = failures('Copies', {
  'no-room': { blame: 'site', cure: 'person', meaning: 'No room.', todo: 'Free some.' },
  differs: { blame: 'node', cure: 'again', meaning: 'The copy differs.', todo: 'Copy again.' },
});
import { processIdentity, systemHost } from '../../src/util/host.js';
import { scratch } from '../helpers/cli.js';

/** A target that is no node: a file that is copied somewhere. */
type Copy = { name: string; from: string; to: string };

const copySteps = steps({ open: { early: true }, copy: { moves: 'bytes', disk: 'in-write' }, compare: { disk: 'judged' } });
const work: Work = {
  kind: 'drive',
  steps: copySteps,
  leftBehind: [{ disk: 'in-write', words: 'was|were cut off in the middle: copy again' }],
};
const fold = (names: string[]): string => names.join(',');

/** Copies files, three at a time, recorded in `dir` as any run is; returns its folded state and outcomes. */
async function copyAll(dir: string, copies: readonly Copy[], continues: string | null, onRows?: (state: RunState) => void) {
  const run = newRunId('copy', systemHost);
  const state = emptyState();
  const folder = openRunFolder(dir, run, expect.unreachable, {
    schema: PLAN_SCHEMA,
    run,
    command: 'copy',
    argv: [],
    cwd: '/',
    env: {},
    kind: work.kind,
    targets: copies.map(({ name }) => name),
    details: {},
    inputs: [],
    login: systemHost.login(),
    host: 'here',
    process: processIdentity(systemHost.pid),
    version: '0',
    startedAt: systemHost.now(),
    continues,
    detached: false,
  });
  const lines: string[] = [];
  const sinks = [
    (event: Parameters<typeof applyEvent>[1]) => applyEvent(state, event),
    (event: Parameters<typeof applyEvent>[1]) => folder?.journal(event),
  ];
  const emit = createBus(run, systemHost, [...sinks, (event) => void lines.push(eventText(event) ?? '')]);
  emit({ type: 'run.started', schema: EVENT_SCHEMA, command: 'copy', ...work, targets: copies.map(({ name }) => name), details: {} });
  const outcomes = await fanOut<Copy, number, StepOf<typeof copySteps>>(
    copies,
    {
      concurrency: 3,
      targetDeadlineMs: 60_000,
      firstStep: 'open',
      signal: new AbortController().signal,
      host: systemHost,
      emit,
      remarks: (bytes) => (bytes === 0 ? ['it is empty'] : []),
    },
    async (one) => {
      const { from, to } = one.target;
      const sizeBytes = await one.at('open', 1_000, async () => statSync(from).size);
      await one.at('copy', 1_000, async () => {
        one.progress(0, sizeBytes);
        if (existsSync(join(to, '..', 'full'))) throw fail('no-room', `${one.name}: ${to} has no room for ${sizeBytes} bytes`, 'free some');
        copyFileSync(from, to);
        one.progress(sizeBytes, sizeBytes);
        onRows?.(state);
      });
      return one.at('compare', 1_000, async () => {
        if (!readFileSync(from).equals(readFileSync(to))) throw fail('differs', `${to} differs`);
        return sizeBytes;
      });
    },
  );
  const [ok, failed] = [targetsIn(state, 'done'), targetsIn(state, 'failed')];
  emit({ type: 'run.finished', ok, failed, skipped: [], exitCode: failed.length > 0 ? 1 : 0, elapsedMs: 5 });
  folder?.finish(resultOf(state));
  return { run, state, outcomes, lines };
}

const copiesIn = (dir: string): Copy[] =>
  ['sda', 'sdb', 'sdc'].map((name) => {
    mkdirSync(join(dir, name), { recursive: true });
    writeFileSync(join(dir, `${name}.img`), name === 'sdc' ? '' : name.repeat(1_000));
    return { name, from: join(dir, `${name}.img`), to: join(dir, name, 'copy') };
  });

test('what is no node is worked on, shown, recorded and done again like one', async () => {
  const dir = scratch();
  const copies = copiesIn(dir);
  writeFileSync(join(dir, 'sdb', 'full'), '');
  let rows: string[] = [];
  let question: string[] = [];
  const first = await copyAll(dir, copies, null, (state) => {
    if (rows.length > 0) return;
    rows = renderRows(state, 100, 24, systemHost.now()).map(({ text }) => text);
    question = leavingQuestion(state, 100);
  });

  expect(first.outcomes.map(({ ok, target }) => [target, ok])).toEqual([
    ['sda', true],
    ['sdb', false],
    ['sdc', true],
  ]);
  expect(first.outcomes[1]).toMatchObject({ failure: { step: 'copy', code: 'no-room', blame: 'site' } });
  expect(first.lines).toContain('imaging-copy on 3 drives');
  expect(rows[0]).toMatch(/^imaging-copy .* of 3$/);
  expect(rows.find((row) => row.includes('sda'))).toMatch(/^> sda {2}copy +#+ 100 %/);
  expect(question.at(-2)).toMatch(/^\d drives? (is|are) being written: .* unusable until written again$/);
  expect(renderSummary(first.state, fold)).toEqual([
    'ok          2  sda,sdc',
    '  sdc  it is empty',
    'failed      1  sdb',
    expect.stringMatching(/^ {2}sdb {2}at copy: .* has no room for 3000 bytes \[no-room\]$/),
    '       try: free some',
    'imaging-copy: 2 of 3 ok in 0.0 s',
  ]);

  const stored = findRun(dir, 'last-copy');
  expect(stored).toMatchObject({ run: first.run, standing: 'failed', believed: true, plan: { kind: 'drive' }, result: { exitCode: 1 } });
  expect(foldJournal(stored.path)).toEqual(first.state);
  expect(attemptOf(first.state, 'sda', 1)).toBeNull(); // the history is of nodes

  const done = new Set(targetsByOutcome(stored).ok);
  writeFileSync(join(dir, 'sdb', 'copy'), 'half');
  const again = await copyAll(
    dir,
    copies.filter(({ name }) => !done.has(name)).map((copy) => ({ ...copy, to: join(dir, 'sdb-again') })),
    stored.run,
  );
  expect(again.state.finished?.exitCode).toBe(0);
  expect(targetsByOutcome(findRun(dir, again.run))).toEqual({ ok: ['sdb'], failed: [], skipped: [], left: [] });
});

test('an interrupt tells where each of them is', () => {
  const state = emptyState();
  const emit = createBus('r', systemHost, [(event) => applyEvent(state, event)]);
  emit({ type: 'run.started', schema: EVENT_SCHEMA, command: 'copy', ...work, targets: ['sda', 'sdb'], details: {} });
  for (const target of ['sda', 'sdb']) emit({ type: 'target.step', target, step: 'copy', attempt: 1 });
  emit({ type: 'run.interrupted', signal: 'SIGINT', then: 'stop' });
  const cut = { step: 'copy', code: 'interrupted', message: 'interrupted by SIGINT', hint: null, blame: 'run', elapsedMs: 1 } as const;
  for (const target of ['sda', 'sdb']) emit({ type: 'target.failed', target, ...cut });
  expect(renderSummary(state, fold)).toContain('2 drives (sda,sdb) were cut off in the middle: copy again');
});
