import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyEvent, emptyState } from '../../src/events/reducer.js';
import { healthOf, medianPhases, readMedianPhases } from '../../src/runs/health.js';
import { rotateHistory } from '../../src/runs/history-rotation.js';
import { attemptOf, currentHistory, openHistory, readHistory, type Attempt, type HistoryLine } from '../../src/runs/history.js';
import { prometheusText, writePrometheus } from '../../src/runs/prometheus.js';
import { fail as engineFail } from '../../src/engine/failures.js';
import { fail as frisbeeFail } from '../../src/frisbee/failures.js';
import { fail as pxeFail } from '../../src/pxe/failures.js';
import { fail as sshFail } from '../../src/ssh/failures.js';
import { fail as telnetFail } from '../../src/telnet/failures.js';
import { fail as workflowFail } from '../../src/workflows/failures.js';
import type { Failure } from '../../src/util/errors.js';
import { packageRoot } from '../../src/util/dist.js';
import { scratch } from '../helpers/cli.js';
import { someEvents } from './stored.js';

const fine = (node: string, more: Partial<Attempt> = {}): Attempt => ({
  at: 1,
  run: 'r',
  command: 'load',
  node,
  ok: true,
  step: null,
  code: null,
  elapsedMs: 10,
  phases: { boot: 5 },
  bytes: 7,
  ...more,
});
const bad = (node: string, more: Partial<Attempt> = {}): Attempt =>
  fine(node, { ok: false, step: 'boot', code: 'boot-deadline', blame: 'node', phases: { boot: 80_000 }, ...more });
/** As `fail` makes it, and as a version wrote it that did not say whose fault it was. */
const badly = (node: string, { code, blame }: Failure): Attempt => bad(node, { code, blame });
const formerly = (node: string, code: string): Attempt => {
  const { blame: _, ...line } = bad(node, { code });
  return line;
};
const release = (node: string): HistoryLine => ({ at: 5, node, released: true, by: 'me' });

function write(dir: string, lines: readonly HistoryLine[]): void {
  const history = openHistory(dir, () => {});
  for (const line of lines) history.add(line);
  history.close();
}

describe('the history', () => {
  test('holds how a node went, with the time in each step', () => {
    const state = someEvents('r1', false).reduce(applyEvent, emptyState());
    expect(attemptOf(state, 'fit01', 99)).toEqual({
      at: 99,
      run: 'r1',
      command: 'load',
      node: 'fit01',
      ok: true,
      step: null,
      code: null,
      elapsedMs: 30,
      phases: { boot: 20, write: 20 },
      bytes: 50,
    });
    expect(attemptOf(state, 'fit02', 99)).toMatchObject({
      ok: false,
      step: 'boot',
      code: 'boot-deadline',
      blame: 'node',
      phases: { boot: 40 },
    });
    expect(attemptOf(state, 'fit03', 99)).toBeNull();
    applyEvent(state, {
      at: 1,
      run: 'r1',
      seq: 9,
      type: 'target.failed',
      target: 'fit03',
      step: 'boot',
      code: 'interrupted',
      message: '',
      hint: null,
      blame: 'run',
      elapsedMs: 1,
    });
    expect(attemptOf(state, 'fit03', 99)).toBeNull(); // a Ctrl-C says nothing about a node
  });

  test('lines that are torn or strange cost themselves alone', () => {
    const dir = scratch();
    write(dir, [fine('fit01')]);
    appendFileSync(currentHistory(dir), '{"at":1,"run":"r","no');
    write(dir, [bad('fit02')]);
    appendFileSync(currentHistory(dir), '[]\n{}\n{"at":1,"node":"x"}\nnull\n\0\0\n');
    appendFileSync(currentHistory(dir), `${JSON.stringify({ ...bad('fit02'), blame: 'the moon' })}\n`);
    write(dir, [release('fit02')]);
    expect(readHistory(dir)).toEqual([fine('fit01'), bad('fit02'), release('fit02')]);
    expect(readHistory(scratch())).toEqual([]);
  });

  test('processes that write at once lose no line', async () => {
    const dir = scratch();
    const writer = join(dir, 'writer.mjs');
    const contents = `import { openHistory } from ${JSON.stringify(join(packageRoot, 'src/runs/history.ts'))};
      const [dir, name] = process.argv.slice(2);
      for (let turn = 0; turn < 20; turn += 1) {
        const history = openHistory(dir, (error) => { throw error; });
        for (let n = 0; n < 25; n += 1) history.add({ at: n, run: name, command: 'load', node: 'fit01', ok: true, step: null, code: null, elapsedMs: 1, phases: { boot: 1, write: 2 }, bytes: 3 });
        history.close();
      }`;
    await build({
      stdin: { contents, resolveDir: dir, loader: 'ts' },
      outfile: writer,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    const names = ['a', 'b', 'c'];
    const codes = await Promise.all(
      names.map(async (name) => (await once(spawn(process.execPath, [writer, dir, name], { stdio: 'inherit' }), 'exit'))[0] as unknown),
    );
    expect(codes).toEqual([0, 0, 0]);
    const history = readHistory(dir) as Attempt[];
    for (const name of names) expect(history.filter(({ run }) => run === name)).toHaveLength(500);
  });

  test('is put aside when large, the oldest goes, and counts are carried over', () => {
    const dir = scratch();
    const limits = { fileBytes: 1_000, oldBytes: 1_500 };
    for (let turn = 1; turn <= 6; turn += 1) {
      write(dir, [...Array.from({ length: 6 }, () => fine('fit01', { at: turn })), bad('fit02'), bad('fit02')]);
      rotateHistory(dir, turn, 77, limits);
    }
    const files = readdirSync(join(dir, 'health'));
    expect(files.filter((file) => /^history\.\d+\.\d+-77\.jsonl$/.test(file)).length).toBeGreaterThan(0);
    expect(files.reduce((sum, file) => sum + statSync(join(dir, 'health', file)).size, 0)).toBeLessThan(5_000);
    expect(files.filter((file) => file.endsWith('.dropped'))).toEqual([]);
    const history = readHistory(dir);
    expect(history.length).toBeLessThan(48);
    const text = prometheusText(history, [], 0);
    expect(text).toContain('imaging_node_runs_total{command="load",node="fit01",result="ok"} 36\n');
    expect(text).toContain('imaging_node_failures_total{command="load",node="fit02",step="boot",code="boot-deadline"} 12\n');
    rotateHistory(scratch(), 1, 1); // nothing there, nothing thrown
  });
});

const damaged = workflowFail('frisbee-failed', '').with({ blame: 'site', cure: 'person' });
/** What was blamed on nodes once, or may be mistaken for theirs. */
const theSites = [
  workflowFail('no-such-program', ''),
  workflowFail('verify-impossible', ''),
  workflowFail('server-ended', ''),
  workflowFail('collect-failed', ''),
  workflowFail('no-write-report', ''),
  frisbeeFail('image-truncated', ''),
  sshFail('ssh-no-algorithm', ''),
  telnetFail('telnet-command-too-long', ''),
  engineFail('lock-deadline', ''),
  engineFail('pxe-deadline', ''),
  pxeFail('node-busy', ''),
];

describe('the health of nodes', () => {
  test('a flaky node is flagged and ranked before a good one, a dead one is no flaky one', () => {
    const history = [
      ...Array.from({ length: 30 }, () => fine('good')),
      ...Array.from({ length: 24 }, (_, n) => (n % 4 === 0 ? bad('flaky') : fine('flaky'))),
      ...Array.from({ length: 5 }, () => bad('dead')),
      bad('once'),
      ...Array.from({ length: 12 }, () => fine('once')),
    ];
    const health = healthOf(history, 0);
    expect(health.map(({ node }) => node)).toEqual(['dead', 'flaky', 'once', 'good']);
    expect(health.map(({ isFlaky }) => isFlaky)).toEqual([false, true, false, false]);
    expect(health[1]).toMatchObject({
      runs: 24,
      recent: { runs: 20, failed: 5 },
      failureRate: 0.25,
      failures: [{ step: 'boot', code: 'boot-deadline', count: 6 }],
      medianMs: { boot: 5 },
    });
    expect(health[0]).toMatchObject({ lastOkAt: null, failedInARow: 5, lastFailure: { step: 'boot', code: 'boot-deadline' } });
  });

  test.each<[what: string, lines: HistoryLine[], quarantined: boolean]>([
    ['three failures in a row', [fine('n'), bad('n'), bad('n'), bad('n')], true],
    ['two', [bad('n'), fine('n'), bad('n'), bad('n')], false],
    ['failures of a save and a load', [bad('n', { command: 'save' }), bad('n'), bad('n')], true],
    ['failures to answer a wait or a reset', [bad('n', { command: 'wait' }), bad('n', { command: 'reset' }), bad('n'), bad('n')], false],
    ['failures that are the site’s', [bad('n'), bad('n'), ...theSites.map((failure) => badly('n', failure))], false],
    ['those of the past', [bad('n'), bad('n'), formerly('n', 'no-such-program'), formerly('n', 'pxe-busy')], false],
    ['those of the past that are the node’s', [bad('n'), formerly('n', 'frisbee-failed'), formerly('n', 'a-code-from-the-past')], true],
    ['an image that is damaged, which its frisbee said', [bad('n'), bad('n'), badly('n', damaged)], false],
    ['a node that breaks its connection', [bad('n'), bad('n'), badly('n', workflowFail('collect-broken', ''))], true],
    ['a release in between', [bad('n'), bad('n'), bad('n'), release('n'), bad('n'), bad('n')], false],
    ['three more since the release', [bad('n'), release('n'), bad('n'), bad('n'), bad('n')], true],
  ])('quarantine after three: %s', (_, lines, quarantined) => {
    expect(healthOf(lines, 3)[0]?.isQuarantined).toBe(quarantined);
    expect(healthOf(lines, 0)[0]?.isQuarantined).toBe(false);
  });

  test('the median time of a step is of passages that went well', () => {
    const history = [
      fine('n', { phases: { boot: 10, write: 100 } }),
      fine('n', { phases: { boot: 30 } }),
      bad('n', { phases: { reset: 3, boot: 9_999 } }),
      fine('other', { phases: { boot: 1 } }),
      fine('n', { command: 'save', phases: { boot: 50, read: 7 } }),
    ];
    expect(medianPhases(history, 'n')).toEqual({ boot: 30, write: 100, reset: 3, read: 7 });
    expect(medianPhases(history, 'n', 'load')).toEqual({ boot: 20, write: 100, reset: 3 });
    expect(medianPhases(history, 'nobody')).toEqual({});
    const dir = scratch();
    write(dir, history);
    expect(readMedianPhases(dir, ['n', 'nobody'], 'load')).toEqual(
      new Map([
        ['n', { boot: 20, write: 100, reset: 3 }],
        ['nobody', {}],
      ]),
    );
  });
});

describe('the file for Prometheus', () => {
  test('is valid, whatever names hold', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name, fc.boolean()), { maxLength: 8 }), (entries) => {
        const history = entries.map(([node, code, ok]) => (ok ? fine(node) : bad(node, { code })));
        const samples = parseExposition(prometheusText(history, healthOf(history, 2), 1_500));
        const counted = samples.filter((sample) => sample.name === 'imaging_node_runs_total').reduce((sum, { value }) => sum + value, 0);
        expect(counted).toBe(entries.length);
        expect(new Set(samples.filter((sample) => sample.name === 'imaging_node_flaky').map(({ labels }) => labels.node))).toEqual(
          new Set(entries.map(([node]) => node)),
        );
      }),
    );
  });

  test('says what the history says', () => {
    const history = [
      fine('fit01', { at: 2_000 }),
      fine('fit01', { at: 1_000 }),
      bad('fit02'),
      bad('fit02', { step: 'ssh', code: 'a"b\\c\nd' }),
    ];
    const samples = parseExposition(prometheusText(history, healthOf(history, 2), 1_500));
    const value = (metric: string, labels: Record<string, string>): number | undefined =>
      samples.find((sample) => sample.name === metric && JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;
    expect(value('imaging_node_last_success_timestamp_seconds', { command: 'load', node: 'fit01' })).toBe(2);
    expect(value('imaging_node_failures_total', { command: 'load', node: 'fit02', step: 'ssh', code: 'a"b\\c\nd' })).toBe(1);
    expect(value('imaging_node_quarantined', { node: 'fit02' })).toBe(1);
    expect(value('imaging_node_quarantined', { node: 'fit01' })).toBe(0);
    expect(value('imaging_last_run_timestamp_seconds', {})).toBe(1.5);
  });

  test('is replaced whole, and nothing stays beside it when it cannot be', () => {
    const dir = scratch();
    writePrometheus(join(dir, 'x.prom'), 'one\n');
    writePrometheus(join(dir, 'x.prom'), 'two\n');
    expect(readFileSync(join(dir, 'x.prom'), 'utf8')).toBe('two\n');
    mkdirSync(join(dir, 'y.prom'));
    writeFileSync(join(dir, 'y.prom/z'), '');
    expect(() => writePrometheus(join(dir, 'y.prom'), 'x')).toThrow();
    expect(readdirSync(dir).sort()).toEqual(['x.prom', 'y.prom']);
  });
});

type Parsed = { name: string; labels: Record<string, string>; value: number };

/** The text exposition format by its grammar: HELP and TYPE once before the samples of a family, no sample twice, a newline at the end. */
function parseExposition(text: string): Parsed[] {
  expect(text.endsWith('\n')).toBe(true);
  const samples: Parsed[] = [];
  const seen = new Set<string>();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment) {
      const [, keyword, name = '', rest = ''] = comment;
      const key = `${keyword} ${name}`;
      expect(seen.has(key), line).toBe(false);
      seen.add(key);
      if (keyword === 'TYPE') expect(rest, line).toMatch(/^(counter|gauge)$/);
      if (keyword === 'TYPE' && rest === 'counter') expect(name).toMatch(/_total$/);
      family = name;
      continue;
    }
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/u.exec(
        line,
      );
    expect(sample, line).not.toBeNull();
    const [, name = '', pairs = '', value = ''] = sample ?? [];
    expect(name, line).toBe(family);
    expect(seen.has(`${name}{${pairs}}`), line).toBe(false);
    seen.add(`${name}{${pairs}}`);
    const labels = [...pairs.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/gu)].map(([, label = '', quoted = '']) => [
      label,
      quoted.replace(/\\(["\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char)),
    ]);
    samples.push({ name, labels: Object.fromEntries(labels) as Record<string, string>, value: Number(value) });
  }
  return samples;
}
