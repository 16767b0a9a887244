import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { acceptPlan, type RunEnd } from '../../src/app/execute-run.js';
import type { NodeWorkflow } from '../../src/app/node-workflow.js';
import { planRecord } from '../../src/app/record-run.js';
import { Interrupted } from '../../src/engine/interrupted.js';
import type { ImagingEvent } from '../../src/events/types.js';
import { UserError } from '../../src/util/errors.js';
import { systemHost } from '../../src/util/host.js';
import { loadWork } from '../../src/workflows/node-steps.js';

const dir = mkdtempSync(join(tmpdir(), 'imaging-test-'));

/** A workflow of no nodes: what is around the work is all there is. */
function workflow(execute: NodeWorkflow['execute'], more: Partial<NodeWorkflow> = {}): NodeWorkflow {
  return {
    work: loadWork(true),
    nodes: [],
    details: {},
    warnings: ['early'],
    dryRun: false,
    keepsLogs: false,
    stateDir: dir,
    skipped: [],
    retention: { keep: 1, keepDays: 1 },
    prometheusFile: null,
    quarantineAfter: 0,
    result: 'table',
    patienceMs: 0,
    progress: 'quiet',
    fold: (names) => names.join(' '),
    execute,
    resultLines: () => [],
    ...more,
  };
}

/** Runs it as a face does that is no command line; `soft`: gets the listener of a first signal. */
async function run(flow: NodeWorkflow, signal = new AbortController().signal, soft?: (listener: (reason: Interrupted) => void) => void) {
  const context = {
    host: { ...systemHost, cwd: () => dir },
    signal,
    argv: ['load'],
    ...(soft && { softly: (listener: (reason: Interrupted) => void) => (soft(listener), () => {}) }),
  };
  const plan = planRecord({ run: 'run-1', command: 'load', workflow: flow, version: '1', from: null, detached: false }, context);
  const accepted = acceptPlan(plan, flow, context);
  const events: ImagingEvent[] = [];
  const ends: RunEnd[] = [];
  const order: string[] = [];
  const code = await accepted
    .execute({
      sink: (event) => void events.push(event),
      onOutcome: () => {},
      onStart: () => {
        order.push('started');
        return () => void order.push('ended');
      },
      exitCodeOf: (end) => (ends.push(end), 42),
    })
    .finally(() => accepted.close());
  return { code, events, end: ends[0], order };
}

test('a run is begun, warned of, undone and ended, with the exit code that its face gives', async () => {
  const undone: string[] = [];
  const { code, events, end, order } = await run(
    workflow(async ({ undo, emit }) => {
      undo.push('one', () => void undone.push('one'));
      undo.push('two', () => Promise.reject(new Error('stuck')));
      emit({ type: 'run.note', text: 'at work' });
      return [];
    }),
  );
  expect(code).toBe(42);
  expect(events.map((event) => ('text' in event ? event.text : event.type))).toEqual([
    'run.started',
    'early',
    'at work',
    expect.stringContaining('stuck'),
    'run.finished',
  ]);
  expect(events.at(-1)).toMatchObject({ exitCode: 42, ok: [], failed: [] });
  expect(undone).toEqual(['one']);
  expect(end).toEqual({ outcomes: [], thrown: null, interrupted: null });
  expect(order).toEqual(['started', 'ended']);
});

test('what keeps the work from being done is told, undone, and thrown in the end', async () => {
  const error = new UserError('environment', 'no such server', 'install it');
  const undone: string[] = [];
  const ran = run(
    workflow(async ({ undo }) => {
      undo.push('one', () => void undone.push('one'));
      throw error;
    }),
  );
  await expect(ran).rejects.toBe(error);
  expect(undone).toEqual(['one']);
});

test('after an interrupt the face hears why, and nothing is thrown', async () => {
  const stop = new AbortController();
  const reason = new Interrupted('SIGTERM', 143);
  const { end, events } = await run(
    workflow(async ({ signal }) => {
      stop.abort(reason);
      signal.throwIfAborted();
      return [];
    }),
    stop.signal,
  );
  expect(end).toMatchObject({ interrupted: reason, thrown: { error: reason } });
  expect(events.find((event) => event.type === 'run.interrupted')).toMatchObject({ signal: 'SIGTERM', then: 'stop' });
});

test('a first signal finishes what was begun, when the workflow wants that', async () => {
  const listeners: ((reason: Interrupted) => void)[] = [];
  const reason = new Interrupted('SIGINT', 130);
  const { end, events } = await run(
    workflow(
      async ({ finishing, signal }) => {
        listeners[0]?.(reason);
        expect([finishing.aborted, signal.aborted]).toEqual([true, false]);
        return [];
      },
      { onInterrupt: 'finish' },
    ),
    undefined,
    (listener) => void listeners.push(listener),
  );
  expect(end).toMatchObject({ interrupted: reason, thrown: null });
  expect(events.find((event) => event.type === 'run.interrupted')).toMatchObject({ then: 'finish' });
});
