import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { currentHistory } from '../../src/runs/history.js';
import { foldJournal } from '../../src/runs/journal.js';
import { readPlan } from '../../src/runs/plan-file.js';
import { readResult, resultOf } from '../../src/runs/result-file.js';
import { isAlive } from '../../src/util/host.js';
import { bin, run, scratch, type Finished } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
let extra: string;
beforeAll(async () => {
  testbed = await testbedUp(4, '--size', '2', '--boot', '0.05', '--on', '--fault', 'fit04:cmc-refused');
  extra = join(scratch(), 'more.conf');
  writeFileSync(extra, `[groups]\ngood = 1-3\n[runs]\nprometheus_file = ${join(testbed.dir, 'imaging.prom')}\n`);
  testbed.env.IMAGING_CONFIG += `:${extra}`;
});
afterAll(() => testbed.close());

const runsDir = (): string => join(testbed.dir, 'state/runs');
const folderOf = (events: ImagingEvent[]): string => join(runsDir(), events[0]?.run ?? '');
const runs = (...args: string[]): Promise<Finished> => testbed.run('imaging-runs', args);
const failedNodes = (events: ImagingEvent[]): string[] => events.flatMap((event) => (event.type === 'target.failed' ? [event.target] : []));

describe('what is kept', () => {
  test('the plan before anything else, the result equal to the replayed events', async () => {
    const load = testbed.start('imaging-load', ['1-2', '4', '--progress', 'json'], { NODES: '3' });
    const { run: name } = await load.event((event) => event.type === 'run.started');
    const plan = readPlan(join(runsDir(), name))?.value;
    expect(plan).toMatchObject({
      run: name,
      command: 'load',
      argv: ['1-2', '4', '--progress', 'json'],
      kind: 'node',
      targets: ['fit01', 'fit02', 'fit04'],
      env: { NODES: '3', IMAGING_CONFIG: testbed.env.IMAGING_CONFIG },
      continues: null,
      detached: false,
    });
    expect(plan?.inputs).toEqual([expect.objectContaining({ path: join(testbed.dir, 'images/default.ndz') })]);
    expect(plan?.process && isAlive(plan.process)).toBe(true);
    expect(readResult(join(runsDir(), name))).toBeNull();
    const { code, events } = await load.finished;
    expect(code).toBe(1);
    const result = readResult(folderOf(events))?.value;
    expect(result).toMatchObject({
      exitCode: 1,
      ok: ['fit01', 'fit02'],
      failed: [{ target: 'fit04', step: 'reset', code: 'cmc-refused' }],
      folded: { ok: '1-2', failed: '4' },
    });
    expect(result).toEqual({ ...resultOf(foldJournal(folderOf(events))), journal: 'complete' });
    expect(
      (await runs('events')).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(events);
  });

  test('list, show, log, stats', async () => {
    const list = await runs();
    expect(list.stdout).toMatch(/load +1-2,4 +2 +1 +0 +failed\n/);
    const show = await runs('show', 'last-load');
    expect(show.stdout).toMatch(/command +imaging-load 1-2 4/);
    expect(show.stdout).toMatch(/fit01 +ok +reboot .* \d[\d.]* MB written at /);
    expect(show.stdout).toMatch(/fit04 +at reset: .*\[cmc-refused\]\n +try: /);
    appendFileSync(join(runsDir(), (await newest()).run, 'fit01.log'), '\u001b]0;owned\u0007\u009b31mred\u001b[2J\rnext\n');
    const log = await runs('log', '1');
    expect(log.stdout).toMatch(/Joined the team[\s\S]*31mred\nnext\n$/);
    expect(log.stdout).not.toMatch(/[\u001b\u0007\u009b]/);
    expect((await runs('log', '1', '--raw')).stdout).toContain('\u001b]0;owned');
    expect(await runs('log', 'fit04')).toMatchObject({ code: 2, stderr: expect.stringContaining('there are logs of 1-2') });
    expect((await runs('stats', '@good', '4')).stdout).toMatch(
      /^node .*\nfit04 +1 +1 of 1 failed +failing +never +1 x reset \[cmc-refused\]/,
    );
    expect(readFileSync(join(testbed.dir, 'imaging.prom'), 'utf8')).toContain(
      'imaging_node_runs_total{command="load",node="fit04",result="failed"} 1\n',
    );
  });

  test('a status keeps nothing, a wait does', async () => {
    const before = readdirSync(runsDir()).length;
    await testbed.run('imaging-status', ['1-3']);
    expect(readdirSync(runsDir())).toHaveLength(before);
    expect((await testbed.run('imaging-wait', ['1-2', '-s'])).code).toBe(0);
    expect(readdirSync(runsDir())).toHaveLength(before + 1);
    expect(await newest()).toMatchObject({ command: 'wait', state: 'done', ok: ['fit01', 'fit02'] });
  });

  test('nodes of runs and groups select, in every command on nodes', async () => {
    expect((await testbed.run('imaging-nodes', ['-f', '@all:last-load', '&@good'])).stdout).toBe('1-2\n');
    // in any order: a line comes when its card has answered, and on a busy machine later than another's
    const { stdout } = await testbed.run('imaging-status', ['@failed:last-load', '@good']);
    expect(stdout.trim().split('\n').sort()).toEqual(['reboot01:on', 'reboot02:on', 'reboot03:on', 'reboot04:status N/A']);
    expect((await testbed.run('imaging-status', [], { NODES: '@good ^1-2' })).stdout).toBe('reboot03:on\n');
    expect(await testbed.run('imaging-load', ['@gud'])).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean @good?') });
    expect(await testbed.run('imaging-load', ['@failed:last'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the selection is empty: @failed:last'),
    });
  });

  test('replay shows it again, in a blink or as fast as asked', async () => {
    const plain = await runs('replay', 'last-load', '--progress', 'plain');
    expect(plain.stderr).toMatch(/fit04 FAILED at reset[\s\S]*fit01 ok in/);
    expect(plain.stdout).toMatch(/imaging-load: 2 of 3 ok/);
    expect((await runs('replay', 'last-load', '--speed', '1000', '--progress', 'json')).events.at(-1)).toMatchObject({
      type: 'run.finished',
      exitCode: 1,
    });
  });
});

async function newest(): Promise<{ run: string; state: string; command: string; ok: string[]; continues: string | null }> {
  const [first] = JSON.parse((await runs('list', '--json', '-n', '1')).stdout) as [
    { run: string; state: string; command: string; ok: string[]; continues: string | null },
  ]; // as: what our own command prints
  return first;
}

describe('resume', () => {
  test('does the same command, in its folder, for the nodes that are not done', async () => {
    const cwd = scratch();
    mkdirSync(join(cwd, 'images'));
    writeFileSync(join(cwd, 'images/mine.ndz'), readFileSync(join(testbed.dir, 'images/demo.ndz')));
    const load = await run('imaging-load', ['-i', 'images/mine.ndz', '-a', '~3', '--progress', 'json'], { cwd, env: testbed.env });
    expect(failedNodes(load.events)).toEqual(['fit04']);
    const dry = await runs('resume', '--dry-run');
    expect(dry.stdout).toMatch(/imaging-load -i images\/mine\.ndz -a ~3[\s\S]*nodes +4 \(1 of 3\)/);
    const again = await runs('resume', '--progress', 'json');
    expect(again.code).toBe(1);
    expect(again.events[0]).toMatchObject({ targets: ['fit04'], details: { image: join(cwd, 'images/mine.ndz') } });
    expect(readPlan(folderOf(again.events))?.value).toMatchObject({
      continues: load.events[0]?.run,
      cwd,
      argv: ['-i', 'images/mine.ndz', '-a', '~3', '--progress', 'json'],
    });

    utimesSync(join(cwd, 'images/mine.ndz'), 1, 1);
    expect(await runs('resume')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/mine\.ndz was written again at 1970[\s\S]*--force/),
    });
    expect((await runs('resume', '--force', '--progress', 'json')).events[0]).toMatchObject({ targets: ['fit04'] });
  });

  test('of a run that is all done, or still at work', async () => {
    const load = testbed.start('imaging-load', ['@good', '--progress', 'json']);
    const { run: name } = await load.event((event) => event.type === 'target.step' && event.step === 'boot');
    load.child.kill('SIGSTOP'); // so that it still is when it is looked at
    expect(await runs('resume')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(new RegExp(`run ${name} is still at work[\\s\\S]*attach ${name}`)),
    });
    load.child.kill('SIGCONT');
    expect((await load.finished).code).toBe(0);
    expect(await runs('resume')).toMatchObject({ code: 0, stdout: `nothing is left: all 3 nodes of run ${name} are done\n` });
  });

  test('after a folder is gone: said, not guessed', async () => {
    const name = (await newest()).run;
    const plan = readPlan(join(runsDir(), name))?.value;
    const copy = join(runsDir(), '20200101-000000-load-0000');
    mkdirSync(copy);
    writeFileSync(join(copy, 'plan.json'), JSON.stringify({ ...plan, run: '20200101-000000-load-0000', cwd: '/nonexistent' }));
    expect(await runs('resume', '2020')).toMatchObject({ code: 4, stderr: expect.stringContaining('/nonexistent') });
  });
});

test('old runs go at the end of a run, and the one that has just ended stays', async () => {
  const file = join(scratch(), 'keep.conf');
  writeFileSync(file, '[runs]\nkeep = 2\n');
  const { events } = await testbed.run('imaging-load', ['1', '--progress', 'json'], {
    IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${file}`,
  });
  const loads = readdirSync(runsDir())
    .filter((name) => name.includes('-load-'))
    .sort();
  expect(loads).toContain(events[0]?.run);
  const whole = loads.filter((name) => existsSync(join(runsDir(), name, 'result.json')));
  expect(whole).toHaveLength(2); // those that died stay, to be resumed
  expect(statSync(currentHistory(join(testbed.dir, 'state'))).size).toBeGreaterThan(0);
});

test.each([
  [['nonsense'], /unknown action "nonsense"/],
  [['shwo'], /did you mean show\?/],
  [['list', 'x'], /list takes nothing/],
  [['show', '--speed', '2'], /--speed means nothing to show/],
  [['log'], /log takes \[RUN\] NODE/],
  [['log', '1-2'], /"1-2" is 2 nodes/],
  [['list', '-n', '0'], /--count: 0 is not/],
  [['replay', '--speed', '0'], /--speed/],
  [['show', '1999'], /no run "1999"/],
  [['release'], /release takes node/],
])('imaging-runs %j is a usage error that says why', async (args, why) => {
  const result = await runs(...args);
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(why);
});

test('the executable is there under its name', () => {
  expect(existsSync(join(bin, 'imaging-runs'))).toBe(true);
});
