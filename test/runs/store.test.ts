import { appendFileSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyEvent, emptyState } from '../../src/events/reducer.js';
import { foldJournal, JournalReader, readJournal } from '../../src/runs/journal.js';
import { changedInputs, readPlan, stampInputs, writePlan } from '../../src/runs/plan-file.js';
import { readResult, resultOf } from '../../src/runs/result-file.js';
import { pruneRuns } from '../../src/runs/retention.js';
import { continuationsOf, findRun, newestRuns, targetsByOutcome, openRun } from '../../src/runs/store.js';
import { UserError } from '../../src/util/errors.js';
import { systemHost } from '../../src/util/host.js';
import { scratch } from '../helpers/cli.js';
import { thrown } from '../helpers/thrown.js';
import { alive, aPlan, DEAD, someEvents, storeRun } from './stored.js';

const DAY_MS = 86_400_000;
const A = '20261121-023011-load-0001';
const B = '20261121-023011-load-0000'; // the same second, a smaller name
const C = '20261122-100000-wait-ffff';

describe('files of a run', () => {
  test('a plan reads back as it was written; one that is garbled is none', () => {
    const dir = scratch();
    const me = systemHost.login();
    writePlan(dir, aPlan(A, { env: { NODES: '1-3' }, continues: B }));
    expect(readPlan(dir)).toEqual({
      value: aPlan(A, { env: { NODES: '1-3' }, continues: B, login: me }),
      uid: systemHost.uid(),
      login: me,
      believed: true,
    });
    for (const text of [
      '{"schema":1',
      '[]',
      '{}',
      JSON.stringify({ ...aPlan(A), schema: 3 }),
      JSON.stringify({ ...aPlan(A), targets: [1] }),
    ]) {
      writeFileSync(join(dir, 'plan.json'), text);
      expect(readPlan(dir), text).toBeNull();
    }
  });

  test('the result is what the events say, and replaying the journal gives it again', () => {
    const dir = scratch();
    const path = storeRun(dir, A, 'finished');
    const result = readResult(path)?.value;
    expect(result).toEqual(resultOf(foldJournal(path)));
    expect(result).toMatchObject({
      run: A,
      command: 'load',
      exitCode: 1,
      startedAt: 1_000,
      finishedAt: 1_080,
      elapsedMs: 60,
      ok: ['fit01'],
      error: null,
      failed: [
        { target: 'fit02', step: 'boot', blame: 'node', code: 'boot-deadline', message: 'nothing\ncame', hint: 'look', elapsedMs: 40 },
      ],
      skipped: [{ target: 'fit03', reason: 'no turn' }],
      folded: { ok: '1', failed: '2', skipped: '3' },
    });
    expect(resultOf(someEvents(A, false).reduce(applyEvent, emptyState()))).toBeNull();
  });

  test('a journal is read as it grows: half a line waits, a torn one is passed over', () => {
    const dir = scratch();
    const events = someEvents(A, true);
    const text = Buffer.from(
      events.map((event) => `${JSON.stringify(event)}\n`).join('') +
        JSON.stringify({ at: 1, run: A, seq: 9, type: 'run.note', text: 'ü'.repeat(70_000) }) +
        '\n',
    );
    const file = join(dir, 'events.jsonl');
    for (const step of [1, 7, 1000, 65_536, text.length]) {
      writeFileSync(file, '');
      const reader = new JournalReader(dir);
      const seen: number[] = [];
      const cuts = step === 1 ? 400 : text.length;
      for (let at = 0; at < text.length; at += at < cuts ? step : text.length) {
        appendFileSync(file, text.subarray(at, at < cuts ? at + step : text.length));
        for (const event of reader.more()) seen.push(event.seq);
      }
      reader.close();
      expect(seen, `in pieces of ${step}`).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    writeFileSync(file, `{"at":1,"ru\n${JSON.stringify(events[0])}\n\0\0\0\n[1]\n`);
    expect([...readJournal(dir)]).toEqual([events[0]]);
    expect([...readJournal(join(dir, 'nothing'))]).toEqual([]);
  });

  test('what a run read is compared by size and time', () => {
    const dir = scratch();
    const image = join(dir, 'image.ndz');
    writeFileSync(image, 'one');
    const then = stampInputs([image]);
    expect(changedInputs(then, stampInputs([image]))).toEqual([]);
    utimesSync(image, 1, 2);
    expect(changedInputs(then, stampInputs([image]))).toEqual([expect.stringMatching(/image\.ndz was written again at 1970/)]);
    writeFileSync(image, 'longer');
    expect(changedInputs(then, stampInputs([image]))).toEqual([expect.stringMatching(/had 3 bytes and has 6/)]);
    expect(changedInputs(then, stampInputs([join(dir, 'other')]))).toEqual([expect.stringMatching(/is gone/)]);
    expect(changedInputs([], stampInputs([image]))).toEqual([expect.stringMatching(/image\.ndz is what the command reads now/)]);
  });
});

describe('the runs of a folder', () => {
  test('running, done, failed, died', () => {
    const dir = scratch();
    storeRun(dir, A, 'finished');
    storeRun(dir, B, 'cut', { process: alive() });
    storeRun(dir, C, 'cut');
    expect([A, B, C].map((run) => openRun(dir, run)?.standing)).toEqual(['failed', 'running', 'died']);
    expect(targetsByOutcome(findRun(dir, A))).toEqual({ ok: ['fit01'], failed: ['fit02'], skipped: ['fit03'], left: [] });
    expect(targetsByOutcome(findRun(dir, C))).toEqual({ ok: ['fit01'], failed: ['fit02'], skipped: [], left: ['fit03'] });
    expect(openRun(dir, 'nothing')).toBeNull();
  });

  test('the last one is the one that began last, also within a second', () => {
    const dir = scratch();
    storeRun(dir, A, 'finished', { startedAt: 10 });
    storeRun(dir, B, 'finished', { startedAt: 20 });
    mkdirSync(join(dir, 'runs/20261231-000000-load-abcd')); // killed before it had a plan
    mkdirSync(join(dir, 'runs/not-a-run'));
    expect(findRun(dir, 'last').run).toBe(B);
    storeRun(dir, C, 'cut');
    expect(newestRuns(dir, 9).map(({ run }) => run)).toEqual([C, B, A]);
    expect(newestRuns(dir, 2).map(({ run }) => run)).toEqual([C, B]);
    expect([findRun(dir, 'last').run, findRun(dir, 'last-load').run, findRun(dir, 'last-wait').run]).toEqual([C, B, C]);
  });

  test('a run is found by the beginning of its name, when that is enough', () => {
    const dir = scratch();
    for (const run of [A, B, C]) storeRun(dir, run, 'finished');
    expect(findRun(dir, '20261122').run).toBe(C);
    expect(findRun(dir, A).run).toBe(A);
    expect(thrown(UserError, () => findRun(dir, '20261121'))).toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('may be 2 runs'),
      hint: expect.stringContaining(A),
    });
    expect(thrown(UserError, () => findRun(dir, '2025'))).toMatchObject({
      message: expect.stringMatching(/no run "2025" in .*runs/),
      hint: expect.stringContaining(C),
    });
    expect(thrown(UserError, () => findRun(dir, 'last-save')).message).toMatch(/no run of imaging-save/);
    expect(thrown(UserError, () => findRun(dir, '')).message).toMatch(/no run ""/);
    expect(thrown(UserError, () => findRun(scratch(), 'last')).message).toMatch(/no run .* yet/);
  });

  test('resumed runs are a chain', () => {
    const dir = scratch();
    storeRun(dir, A, 'cut', { startedAt: 1 });
    storeRun(dir, '20261121-023012-load-0003', 'cut', { startedAt: 2, continues: A });
    storeRun(dir, '20261121-023013-load-0004', 'cut', { startedAt: 3, continues: '20261121-023012-load-0003' });
    storeRun(dir, '20261121-023014-load-0005', 'cut', { startedAt: 4, continues: C });
    expect(continuationsOf(dir, A).map(({ run }) => run)).toEqual(['20261121-023012-load-0003', '20261121-023013-load-0004']);
  });
});

describe('retention', () => {
  const now = Date.UTC(2026, 10, 25);
  const left = (dir: string): string[] => readdirSync(join(dir, 'runs')).sort();
  const name = (day: number, command = 'load', end = '0000'): string => `202611${String(day).padStart(2, '0')}-000000-${command}-${end}`;

  test('the newest of each command stay', () => {
    const dir = scratch();
    for (const day of [1, 2, 3, 4]) storeRun(dir, name(day), 'finished');
    for (const day of [5, 6, 7]) storeRun(dir, name(day, 'wait'), 'finished');
    expect(pruneRuns(dir, { keep: 2, keepDays: 0 }, now).sort()).toEqual([name(1), name(2), name(5, 'wait')]);
    expect(left(dir)).toEqual([name(3), name(4), name(6, 'wait'), name(7, 'wait')]);
    expect(pruneRuns(dir, { keep: 2, keepDays: 0 }, now)).toEqual([]);
  });

  test('what is too old goes, unless days do not count', () => {
    const dir = scratch();
    for (const day of [1, 20]) storeRun(dir, name(day), 'finished');
    expect(pruneRuns(dir, { keep: 9, keepDays: 0 }, now)).toEqual([]);
    expect(pruneRuns(dir, { keep: 9, keepDays: 10 }, now)).toEqual([name(1)]);
    expect(left(dir)).toEqual([name(20)]);
  });

  test('what is alive stays, and what died or was interrupted stays for a week', () => {
    const dir = scratch();
    storeRun(dir, name(1), 'cut', { process: alive() });
    storeRun(dir, name(2), 'cut', { process: DEAD });
    storeRun(dir, name(20), 'cut', { process: DEAD });
    storeRun(dir, name(21), 'finished', {}, 130);
    storeRun(dir, name(22), 'finished');
    storeRun(dir, name(25, 'load', '000f'), 'finished');
    expect(pruneRuns(dir, { keep: 1, keepDays: 1 }, now).sort()).toEqual([name(2), name(22)]);
    expect(pruneRuns(dir, { keep: 1, keepDays: 1 }, now + 7 * DAY_MS).sort()).toEqual([name(20), name(21), name(25, 'load', '000f')]);
    expect(left(dir)).toEqual([name(1)]);
  });

  test('a folder that holds something else, is a link, or has another name is not touched', () => {
    const dir = scratch();
    writeFileSync(join(storeRun(dir, name(1), 'finished'), 'thesis.tex'), 'mine');
    mkdirSync(join(storeRun(dir, name(2), 'finished'), 'results'));
    mkdirSync(join(dir, 'runs/20261101-holiday'));
    const elsewhere = storeRun(scratch(), name(3), 'finished');
    symlinkSync(elsewhere, join(dir, 'runs', name(3)));
    storeRun(dir, name(24), 'finished');
    expect(pruneRuns(dir, { keep: 1, keepDays: 1 }, now)).toEqual([]);
    expect(left(dir)).toHaveLength(5);
    expect(readdirSync(elsewhere)).toContain('plan.json');
  });

  test('a folder without a plan goes once it is no newborn any more', () => {
    const dir = scratch();
    for (const day of [1, 24]) mkdirSync(join(dir, 'runs', name(day)), { recursive: true });
    storeRun(dir, name(25), 'finished');
    expect(pruneRuns(dir, { keep: 1, keepDays: 0 }, now + 3_600_000)).toEqual([name(24), name(1)]);
    mkdirSync(join(dir, 'runs', name(24)));
    expect(pruneRuns(dir, { keep: 1, keepDays: 0 }, Date.UTC(2026, 10, 24, 1))).toEqual([]);
  });
});
