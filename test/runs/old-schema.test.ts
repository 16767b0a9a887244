import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isEvent } from '../../src/events/is-event.js';
import { foldJournal, readJournal } from '../../src/runs/journal.js';
import { currentEvent } from '../../src/runs/old-schema.js';
import { readPlan } from '../../src/runs/plan-file.js';
import { readResult, resultOf } from '../../src/runs/result-file.js';
import { run, scratch } from '../helpers/cli.js';

const fixture = join(import.meta.dirname, '../fixtures/run-schema-1');
const RUN = '20261128-123311-load-543c';
const said = (name: string): string => readFileSync(join(fixture, name), 'utf8');

/** A state folder with the old run in it. */
function stateWithRun(): { dir: string; env: Record<string, string> } {
  const dir = scratch();
  const path = join(dir, 'runs', RUN);
  mkdirSync(path, { recursive: true, mode: 0o750 });
  for (const name of ['plan.json', 'events.jsonl', 'result.json']) cpSync(join(fixture, name), join(path, name));
  writeFileSync(join(dir, 'site.conf'), `[runs]\ndir = ${dir}\n`);
  return { dir, env: { IMAGING_CONFIG: join(dir, 'site.conf') } };
}

describe('a run that was kept under schema 1', () => {
  test('is read like one of today: every event, the plan, the result', () => {
    expect([...readJournal(fixture)]).toHaveLength(said('events.jsonl').trimEnd().split('\n').length);
    expect(readPlan(fixture)?.value).toMatchObject({ schema: 2, kind: 'node', targets: ['fit01', 'fit02', 'fit03'] });
    const result = readResult(fixture)?.value;
    expect(result?.failed).toMatchObject([
      { target: 'fit02', step: 'verify', code: 'verify-mismatch', blame: 'node' },
      { target: 'fit03', step: 'boot', code: 'node-deadline', blame: 'node' },
    ]);
    expect({ ...resultOf(foldJournal(fixture)), journal: 'complete' }).toEqual(result);
    const { targets } = foldJournal(fixture);
    expect(targets.get('fit02')).toMatchObject({ disk: 'written', attempt: 2, facts: { moves: 'bytes' } });
  });

  test('is shown and replayed word for word as it was then', async () => {
    const { env } = stateWithRun();
    const show = await run('imaging-runs', ['show'], { env });
    expect(show).toMatchObject({ code: 0, stderr: '' });
    expect(show.stdout.slice(show.stdout.indexOf('node   state'))).toBe(said('show.txt'));
    const replay = await run('imaging-runs', ['replay', '--progress', 'plain'], { env });
    expect(replay.stderr + replay.stdout).toBe(said('replay.txt'));
  });

  test('is listed, attached to, and resumed for what is not done', async () => {
    const { env } = stateWithRun();
    const list = await run('imaging-runs', ['list', '--json'], { env });
    expect(JSON.parse(list.stdout)).toMatchObject([{ run: RUN, kind: 'node', ok: ['fit01'], failed: ['fit02', 'fit03'], state: 'failed' }]);
    expect(await run('imaging-runs', ['attach', '--progress', 'quiet'], { env })).toMatchObject({ code: 1 });
    const resume = await run('imaging-runs', ['resume', '--dry-run'], { env });
    expect(resume).toMatchObject({ code: 0 });
    expect(resume.stdout).toContain('nodes    2-3 (2 of 3)');
    const events = (await run('imaging-runs', ['events'], { env })).stdout;
    expect(events.split('\n')[0]).toContain('"type":"run.started","schema":2');
    expect(events).not.toContain('"node.');
  });
});

describe('an old event', () => {
  const at = { at: 1, run: 'r', seq: 0 };

  test('says the same in today’s words', () => {
    expect(
      currentEvent({ ...at, type: 'node.failed', node: 'fit01', step: 'lock', code: 'node-busy', message: 'm', hint: null, elapsedMs: 1 }),
    ).toEqual({
      ...at,
      type: 'target.failed',
      target: 'fit01',
      step: 'lock',
      code: 'node-busy',
      message: 'm',
      hint: null,
      elapsedMs: 1,
      blame: 'site',
    });
    const done = {
      ...at,
      type: 'node.done',
      node: 'fit01',
      elapsedMs: 1,
      detail: '13.6 MB in x; not stamped: why',
      remarks: ['not stamped: why'],
    };
    const expected = { result: { type: 'words', words: '13.6 MB in x' }, remarks: ['not stamped: why'] };
    expect(currentEvent(done)).toEqual({ ...at, type: 'target.done', target: 'fit01', elapsedMs: 1, ...expected });
    expect(currentEvent({ ...at, type: 'node.done', node: 'fit01', elapsedMs: 1, detail: null })).toMatchObject({ result: null });
    expect(currentEvent({ ...at, type: 'server.join', node: null, address: 'a', clientId: 1 })).toMatchObject({ target: null });
  });

  test.each([
    [{ ...at, type: 'node.step', node: 5, step: 'boot', attempt: 1 }],
    [{ ...at, type: 'node.failed', node: 'fit01' }],
    [{ ...at, type: 'run.started', schema: 1, command: 'load', nodes: 'fit01', details: {} }],
    [{ ...at, type: 'node.__proto__', node: 'fit01' }],
    [null],
    [7],
  ])('that is none is none afterwards: %j', (value) => expect(isEvent(currentEvent(value))).toBe(false));

  test('today’s events are left as they are', () => {
    const event = { ...at, type: 'target.step', target: 'fit01', step: 'boot', attempt: 1 };
    expect(currentEvent(event)).toBe(event);
  });
});
