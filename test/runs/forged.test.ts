import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBmap } from '../../src/images/bmap.js';
import { formatOfFile } from '../../src/images/formats.js';
import { inspectImage } from '../../src/ndz/read/inspect.js';
import { bootRecords } from '../../src/runs/boots.js';
import { childRecords } from '../../src/runs/children.js';
import { healthOf, readHealth } from '../../src/runs/health.js';
import { currentHistory, oldHistories, openHistory, readHistory } from '../../src/runs/history.js';
import { imageRecords, verifiedImage, type ImageRecord } from '../../src/runs/images.js';
import { foldJournal, JournalReader, readJournal } from '../../src/runs/journal.js';
import { openLineFile } from '../../src/runs/line-file.js';
import { pruneRuns, removeRun } from '../../src/runs/retention.js';
import { openRunFolder } from '../../src/runs/run-folder.js';
import { continuationsOf, findRun, newestRuns, openRun } from '../../src/runs/store.js';
import { UserError } from '../../src/util/errors.js';
import { processIdentity, systemHost } from '../../src/util/host.js';
import { parseJson } from '../../src/util/json.js';
import { run, scratch } from '../helpers/cli.js';
import { thrown } from '../helpers/thrown.js';
import { aPlan, DEAD, someEvents, storeRun } from './stored.js';

// what somebody else may have written into folders that a group shares
const MALLORY = 54_321;
const isRoot = systemHost.uid() === 0;
const asRoot = describe.skipIf(!isRoot);
const give = (path: string): void => {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) give(join(path, name));
  chownSync(path, MALLORY, MALLORY);
};

const MINE = '20261121-023011-load-0001';
const FORGED = '20991231-235959-load-ffff';

asRoot('the run of another user (needs root to make one)', () => {
  test('is shown as its owner’s, whatever it says, and never is the last one', () => {
    const dir = scratch();
    storeRun(dir, MINE, 'cut');
    give(storeRun(dir, FORGED, 'cut', { login: 'root' }));
    expect(newestRuns(dir, 9).map(({ run: name, plan, believed }) => [name, plan.login, believed])).toEqual([
      [FORGED, `uid ${MALLORY}`, false],
      [MINE, 'root', true],
    ]);
    expect(findRun(dir, 'last').run).toBe(MINE);
    expect(findRun(dir, FORGED).believed).toBe(false);
    const only = scratch();
    give(storeRun(only, FORGED, 'cut'));
    expect(thrown(UserError, () => findRun(only, 'last')).message).toMatch(/yours or root's/);
  });

  test('is not resumed: neither its folder nor its configuration is touched', async () => {
    const dir = scratch();
    const marker = join(dir, 'ran');
    writeFileSync(join(dir, 'evil.conf'), `[nodes]\nping_command = touch ${marker} {ip}\n[runs]\ndir = ${dir}\n`);
    writeFileSync(join(dir, 'site.conf'), `[runs]\ndir = ${dir}\n`);
    give(
      storeRun(dir, FORGED, 'cut', {
        argv: ['-i', 'demo', '1'],
        cwd: dir,
        env: { IMAGING_CONFIG: join(dir, 'evil.conf') },
        targets: ['fit01'],
        login: 'root',
        process: null,
      }),
    );
    for (const words of [[FORGED], [FORGED, '--force'], []]) {
      const { code, stderr } = await run('imaging-runs', ['resume', ...words], { env: { IMAGING_CONFIG: join(dir, 'site.conf') } });
      expect([code, stderr]).toEqual(
        words.length > 0
          ? [3, expect.stringContaining(`run ${FORGED} cannot be resumed: it is uid ${MALLORY}'s`)]
          : [2, expect.stringContaining("yours or root's")],
      );
    }
    expect(existsSync(marker)).toBe(false);
  });

  test('is no continuation of ours, and does not push ours out of the store', () => {
    const dir = scratch();
    storeRun(dir, MINE, 'finished', {}, 0);
    for (const n of [1, 2, 3]) give(storeRun(dir, `20991231-23595${n}-load-ffff`, 'finished', { continues: MINE }, 0));
    expect(continuationsOf(dir, MINE)).toEqual([]);
    expect(pruneRuns(dir, { keep: 1, keepDays: 0 }, Date.UTC(2100, 0, 1))).toEqual([
      '20991231-235952-load-ffff',
      '20991231-235951-load-ffff',
    ]);
    expect(openRun(dir, MINE)).not.toBeNull();
  });

  test('a plan or result that somebody else put into a folder of ours is none', () => {
    const dir = scratch();
    const path = storeRun(dir, MINE, 'finished');
    give(join(path, 'result.json'));
    expect(openRun(dir, MINE)).toMatchObject({ result: null, standing: 'died' });
    give(join(path, 'plan.json'));
    expect(openRun(dir, MINE)).toBeNull();
  });

  test('a folder that somebody made under the name of our run is not written to', () => {
    const dir = scratch();
    mkdirSync(join(dir, 'runs', MINE), { recursive: true });
    give(join(dir, 'runs', MINE));
    const warnings: string[] = [];
    expect(openRunFolder(dir, MINE, (text) => warnings.push(text), aPlan(MINE))).toBeNull();
    expect(warnings).toEqual([expect.stringContaining(`belongs to user ${MALLORY}`)]);
    expect(readdirSync(join(dir, 'runs', MINE))).toEqual([]);
  });

  test('a child record of theirs ends nobody else’s process', async () => {
    const dir = scratch();
    const mark = 'a'.repeat(24);
    const victim = spawn('sleep', ['60'], { env: { ...process.env, IMAGING_CHILD: mark } });
    mkdirSync(join(dir, 'children'));
    writeFileSync(join(dir, 'children/1.json'), JSON.stringify({ child: processIdentity(victim.pid ?? 0), parent: DEAD, mark }));
    give(join(dir, 'children/1.json'));
    expect(await childRecords(dir, systemHost).orphans()).toEqual([]);
    expect(await childRecords(dir, systemHost).sweep()).toEqual({ ended: [], problems: [] });
    expect(processIdentity(victim.pid ?? 0)).not.toBeNull();
    victim.kill();
  });

  test('their boot record is not ours; enough to doubt, not to act upon', async () => {
    const dir = scratch();
    const boots = bootRecords(dir, [], systemHost);
    await boots.record('fit01', 'reset', 1_000);
    writeFileSync(join(dir, `nodes/fit01.${MALLORY}.json`), JSON.stringify({ lastBootAt: 2_000, verb: 'reset', by: 'root' }));
    writeFileSync(join(dir, 'nodes/fit01.json'), JSON.stringify({ lastBootAt: 3_000, verb: 'reset', by: 'root' }));
    give(join(dir, `nodes/fit01.${MALLORY}.json`));
    give(join(dir, 'nodes/fit01.json'));
    expect(await bootRecords(dir, [], systemHost).last('fit01')).toBe(1_000);
    expect(await bootRecords(dir, [], systemHost).lastByAnybody('fit01')).toBe(3_000);
  });

  test('their image record makes us doubt what we loaded, and is told by its owner', async () => {
    const dir = scratch();
    const record: ImageRecord = {
      state: 'written',
      name: 'a',
      path: '/a',
      digest: 'sha256:00',
      run: 'r',
      by: 'root',
      at: 1_000,
      verify: 'full',
      booted: true,
      stamp: null,
    };
    const images = imageRecords(dir, [], systemHost);
    await images.record('fit01', record);
    const boots = bootRecords(dir, [], systemHost);
    expect(await verifiedImage('fit01', images, boots)).not.toBeNull();
    const theirs = join(dir, `nodes/fit01.${MALLORY}.image.json`);
    writeFileSync(theirs, JSON.stringify({ ...record, name: 'b', at: 2_000 }));
    give(theirs);
    const again = imageRecords(dir, [], systemHost);
    expect(await again.last('fit01')).toMatchObject({ name: 'b', by: `uid ${MALLORY}`, believed: false });
    expect(await verifiedImage('fit01', again, boots)).toBeNull();
  });

  test('their history is shown, and puts nobody into quarantine', () => {
    const dir = scratch();
    const history = openHistory(dir, () => {});
    history.add({ at: 1, run: 'r', command: 'load', node: 'fit01', ok: true, step: null, code: null, elapsedMs: 1, phases: {}, bytes: 0 });
    history.close();
    const line = JSON.stringify({
      at: 2,
      run: 'r',
      command: 'load',
      node: 'fit01',
      ok: false,
      step: 'boot',
      code: 'boot-deadline',
      elapsedMs: 1,
      phases: {},
      bytes: 0,
    });
    writeFileSync(currentHistory(dir, MALLORY), `${line}\n${line}\n${line}\n`);
    give(currentHistory(dir, MALLORY));
    expect(healthOf(readHistory(dir), 3)).toMatchObject([{ node: 'fit01', runs: 1, isQuarantined: false }]);
    expect(readHealth(dir, 3)).toMatchObject([{ node: 'fit01', runs: 4, failedInARow: 0, isQuarantined: false }]);
  });
});

describe('what is in the way', () => {
  test('a run’s folder that is a link is no run, and what it leads to is not removed', () => {
    const dir = scratch();
    const elsewhere = join(dir, 'elsewhere');
    storeRun(elsewhere, MINE, 'finished');
    mkdirSync(join(dir, 'runs'));
    symlinkSync(join(elsewhere, 'runs', MINE), join(dir, 'runs', MINE));
    expect(openRun(dir, MINE)).toBeNull();
    expect(removeRun(join(dir, 'runs', MINE))).toBe(false);
    expect(readdirSync(join(elsewhere, 'runs', MINE))).toContain('plan.json');
  });

  test('a run that others may write is not acted upon', () => {
    const dir = scratch();
    const path = storeRun(dir, MINE, 'cut');
    chmodSync(path, 0o775);
    expect(openRun(dir, MINE)?.believed).toBe(false);
    chmodSync(path, 0o755);
    chmodSync(join(path, 'plan.json'), 0o666);
    expect(openRun(dir, MINE)?.believed).toBe(false);
  });

  test('a journal that cannot be read is the environment’s fault, and hides no other run', async () => {
    const dir = scratch();
    mkdirSync(join(dir, 'runs', MINE, 'events.jsonl'), { recursive: true, mode: 0o755 });
    writeFileSync(join(dir, 'runs', MINE, 'plan.json'), JSON.stringify(aPlan(MINE)), { mode: 0o640 });
    storeRun(dir, '20261122-100000-wait-ffff', 'finished');
    writeFileSync(join(dir, 'site.conf'), `[runs]\ndir = ${dir}\n`);
    const env = { IMAGING_CONFIG: join(dir, 'site.conf') };
    expect(thrown(UserError, () => foldJournal(join(dir, 'runs', MINE)))).toMatchObject({
      kind: 'environment',
      message: expect.stringContaining('not a regular file'),
    });
    for (const action of ['show', 'attach', 'replay'])
      expect(await run('imaging-runs', [action, MINE], { env }), action).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('cannot be read'),
      });
    const list = await run('imaging-runs', ['list'], { env });
    expect([list.code, list.stdout]).toEqual([0, expect.stringContaining('journal unreadable')]);
    expect(list.stdout.split('\n')).toHaveLength(4);
  });

  test('events of types and forms that are not known are passed over', async () => {
    const dir = scratch();
    const path = storeRun(dir, MINE, 'finished');
    const good = someEvents(MINE, true);
    const strange = [
      { at: 1, run: MINE, seq: 2, type: 'node.sparkle', node: 'fit01' },
      { at: 1, run: MINE, seq: 2, type: 'target.done', target: 5, elapsedMs: 'x' },
      { at: 1e300, run: MINE, seq: 2, type: 'run.note', text: 'x' },
      { at: 1, run: MINE, seq: 2, type: '__proto__' },
      { at: 1, run: MINE, seq: 2, type: 'run.finished', ok: 7 },
    ];
    writeFileSync(
      join(path, 'events.jsonl'),
      [...good.slice(0, 2), ...strange, ...good.slice(2)].map((event) => `${JSON.stringify(event)}\n`).join(''),
    );
    expect([...readJournal(path)]).toEqual(good);
    writeFileSync(join(dir, 'site.conf'), `[runs]\ndir = ${dir}\n`);
    expect(
      await run('imaging-runs', ['replay', '--progress', 'plain', MINE], { env: { IMAGING_CONFIG: join(dir, 'site.conf') } }),
    ).toMatchObject({ code: 0 });
  });
});

describe.skipIf(!isRoot)('a disk that is full (needs root to mount a small one)', () => {
  test('a plan that does not fit is none at all; a journal that did not fit is marked, and its run still is what it was', async () => {
    const dir = scratch();
    const script = join(dir, 'fill.mjs');
    writeFileSync(
      script,
      `
      import { openRunFolder } from ${JSON.stringify(join(import.meta.dirname, '../../src/runs/run-folder.ts'))};
      import { resultOf } from ${JSON.stringify(join(import.meta.dirname, '../../src/runs/result-file.ts'))};
      import { applyEvent, emptyState } from ${JSON.stringify(join(import.meta.dirname, '../../src/events/reducer.ts'))};
      import { aPlan, someEvents } from ${JSON.stringify(join(import.meta.dirname, 'stored.ts'))};
      const dir = process.argv[2];
      const warnings = [];
      const tooLarge = openRunFolder(dir, ${JSON.stringify(MINE)}, (text) => warnings.push(text), { ...aPlan(${JSON.stringify(MINE)}), cwd: 'x'.repeat(1 << 20) });
      const run = '20261122-100000-load-0002';
      const folder = openRunFolder(dir, run, (text) => warnings.push(text), aPlan(run));
      const events = someEvents(run, true);
      folder.journal({ at: 1, run, seq: 0, type: 'run.note', text: 'first' });
      await new Promise((resolve) => setImmediate(resolve));
      folder.journal({ at: 1, run, seq: 1, type: 'run.note', text: 'y'.repeat(1 << 20) });
      await new Promise((resolve) => setImmediate(resolve));
      folder.finish(resultOf(events.reduce(applyEvent, emptyState())));
      console.log(JSON.stringify({ tooLarge, warnings }));
    `,
    );
    const { build } = await import('esbuild');
    await build({
      entryPoints: [script],
      outfile: join(dir, 'fill.out.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    const small = join(dir, 'small');
    mkdirSync(small);
    const shell = `mount -t tmpfs -o size=256k tmpfs ${small} && ${process.execPath} ${join(dir, 'fill.out.mjs')} ${small} && cp -r ${small}/. ${dir}/after`;
    mkdirSync(join(dir, 'after'));
    const { code, stdout, stderr } = await run('/usr/bin/unshare', ['-m', 'sh', '-c', shell]);
    expect([code, stderr]).toEqual([0, '']);
    const said = JSON.parse(stdout) as { tooLarge: unknown; warnings: string[] };
    expect(said.tooLarge).toBeNull();
    expect(said.warnings).toEqual([expect.stringMatching(/no logs of this run.*ENOSPC/), expect.stringMatching(/incomplete.*ENOSPC/)]);
    const after = join(dir, 'after');
    expect(readdirSync(join(after, 'runs'))).toEqual(['20261122-100000-load-0002']);
    expect(newestRuns(after, 9).map(({ run: name, standing, result }) => [name, standing, result?.journal])).toEqual([
      ['20261122-100000-load-0002', 'failed', 'incomplete'],
    ]);
    const journal = readFileSync(join(after, 'runs/20261122-100000-load-0002/events.jsonl'), 'utf8');
    expect(journal.split('\n').map((line) => (line === '' ? line : (JSON.parse(line) as { text: string }).text))).toEqual(['first', '']);
  });
});

describe('what takes the place, the time or the memory of others', () => {
  const id = systemHost.uid();

  test('a folder of a record’s name does not keep it from being recorded, under one other name', async () => {
    const dir = scratch();
    mkdirSync(join(dir, 'nodes', `fit01.${id}.json`), { recursive: true });
    mkdirSync(join(dir, 'nodes', `fit01.${id}.image.json`));
    const boots = bootRecords(dir, [], systemHost);
    expect(await boots.last('fit01')).toBeNull();
    for (const at of [1_000, 2_000]) await boots.record('fit01', 'reset', at);
    expect(await boots.last('fit01')).toBe(2_000);
    expect(await bootRecords(dir, [], systemHost).last('fit01')).toBe(2_000);
    await imageRecords(dir, [], systemHost).record('fit01', {
      state: 'written',
      name: 'demo',
      path: '/a',
      digest: null,
      run: 'r',
      by: 'me',
      at: 1_000,
      verify: 'full',
      booted: true,
      stamp: null,
    });
    expect(await imageRecords(dir, [], systemHost).last('fit01')).toMatchObject({ name: 'demo', believed: true });
    expect(readdirSync(join(dir, 'nodes'))).toHaveLength(4);
  });

  test('nor does one of the history’s name', () => {
    const dir = scratch();
    mkdirSync(currentHistory(dir), { recursive: true });
    for (const at of [1, 2]) {
      const history = openHistory(dir, () => {});
      history.add({ at, node: 'fit01', released: true, by: 'me' });
      history.close();
    }
    expect(readHistory(dir).map(({ at }) => at)).toEqual([1, 2]);
    expect(readdirSync(join(dir, 'health'))).toHaveLength(2);
  });

  test.skipIf(!isRoot)('nor does another user’s history (needs root to make one)', () => {
    const dir = scratch();
    mkdirSync(join(dir, 'health'));
    writeFileSync(currentHistory(dir), '');
    writeFileSync(join(dir, 'health', `history.${id}.9-9.jsonl`), '');
    give(currentHistory(dir));
    give(join(dir, 'health', `history.${id}.9-9.jsonl`));
    const history = openHistory(dir, () => {});
    history.add({ at: 7, node: 'fit01', released: true, by: 'me' });
    history.close();
    expect(readHistory(dir).map(({ at }) => at)).toEqual([7]);
    expect(readFileSync(currentHistory(dir), 'utf8')).toBe('');
    expect(oldHistories(dir)).toHaveLength(1);
  });

  test('of one user’s history no more is read than that user would keep', () => {
    const dir = scratch();
    mkdirSync(join(dir, 'health'));
    const line = `${JSON.stringify({ at: 1, node: 'fit01', released: true, by: 'me' })}\n`;
    for (let index = 0; index < 5; index += 1) {
      writeFileSync(join(dir, 'health', `history.9.${index}-1.jsonl`), line);
      truncateSync(join(dir, 'health', `history.9.${index}-1.jsonl`), 10 << 20);
    }
    expect(readHistory(dir, 'everybody')).toHaveLength(3);
  });

  test('a pipe under an image’s name is refused, not waited for', async () => {
    const pipe = join(scratch(), 'x.ndz');
    execFileSync('mkfifo', [pipe]);
    await expect(inspectImage(pipe)).rejects.toThrow();
    await expect(formatOfFile(pipe)).rejects.toThrow();
    await expect(readBmap(pipe)).rejects.toThrow();
  });

  test('lines are not added to a file that has another name', () => {
    const dir = scratch();
    writeFileSync(join(dir, 'precious'), 'x');
    linkSync(join(dir, 'precious'), join(dir, 'imaging.log'));
    expect(() => openLineFile(join(dir, 'imaging.log'), { mode: 0o644, alone: false, onError: () => {} })).toThrow('another name');
  });

  test('an endless line of events is passed over, and what no run would write is not read', () => {
    const dir = scratch();
    const path = storeRun(dir, MINE, 'finished');
    const good = readFileSync(join(path, 'events.jsonl'), 'utf8');
    writeFileSync(join(path, 'events.jsonl'), `${' '.repeat(3 << 20)}\n${good}`);
    expect([...readJournal(path)]).toHaveLength(9);
    truncateSync(join(path, 'events.jsonl'), 2 ** 40);
    const reader = new JournalReader(path, 8 << 20);
    expect([...reader.more()]).toHaveLength(9);
    reader.close();
  });

  test('what is nested deeper than anything of ours is no record', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    expect(parseJson(`{"a":${deep}}`)).toBeNull();
    expect(parseJson(JSON.stringify({ text: '['.repeat(500) }))).toEqual({ text: '['.repeat(500) });
    expect(parseJson('[[1],{"a":[2]}]')).toEqual([[1], { a: [2] }]);
  });

  test('a folder among the records of children is nobody’s problem', async () => {
    const dir = scratch();
    mkdirSync(join(dir, 'children', 'x.json'), { recursive: true });
    expect(await childRecords(dir, systemHost).sweep()).toEqual({ ended: [], problems: [] });
  });

  test('the log of a node that is a link is refused, not a defect', async () => {
    const dir = scratch();
    symlinkSync('/etc/passwd', join(storeRun(dir, MINE, 'finished'), 'fit01.log'));
    const config = join(dir, 'imaging.conf');
    writeFileSync(config, `[runs]\ndir = "${dir}"\n`);
    const { code, stderr } = await run('imaging-runs', ['log', MINE, '1'], { env: { IMAGING_CONFIG: config } });
    expect([code, stderr]).toEqual([4, expect.stringContaining('cannot be read')]);
  });
});
