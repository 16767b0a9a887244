import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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

describe('in the background', () => {
  let slow: ChildTestbed;
  beforeAll(async () => {
    slow = await testbedUp(2, '--size', '2', '--on', '--fault', 'fit02:slow-boot:6'); // long enough to come and go meanwhile
  });
  afterAll(() => slow.close());

  test('--detach returns once the plan is accepted; attach follows it to its end, with its exit code', async () => {
    const detached = await testbed.run('imaging-load', ['--detach', '@good', '4']);
    expect(detached.code).toBe(0);
    const name = detached.stdout.trim();
    expect(detached.stderr).toContain(`imaging-runs attach ${name}`);
    expect(readPlan(join(runsDir(), name))?.value).toMatchObject({ detached: true, targets: ['fit01', 'fit02', 'fit03', 'fit04'] });
    const attached = await runs('attach', name, '--progress', 'json');
    expect(attached.code).toBe(1);
    expect(attached.events.map(({ seq }) => seq)).toEqual(attached.events.map((_, index) => index));
    expect(attached.events.at(-1)).toMatchObject({ type: 'run.finished', exitCode: 1, ok: ['fit01', 'fit02', 'fit03'] });
    expect((await runs('attach', name)).code).toBe(1); // it has ended by now: told at once
    expect(readFileSync(join(runsDir(), name, 'messages.log'), 'utf8')).toMatch(/imaging-load on 4 nodes[\s\S]*failed +1 +4/);
  });

  test('it survives whoever started it, and those who attach and go', async () => {
    // a process group of its own that is killed as a whole, as a terminal does with what runs in it
    const shell = spawn('sh', ['-c', 'imaging-load --detach 1-2 -u; exec sleep 60'], {
      env: { ...process.env, ...slow.env },
      cwd: scratch(),
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const name = await new Promise<string>((resolve) => void shell.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())));
    process.kill(-(shell.pid ?? 0), 'SIGHUP');
    const watching = slow.start('imaging-runs', ['attach', name, '--progress', 'json']);
    await watching.event((event) => event.type === 'run.started');
    watching.child.kill('SIGINT');
    expect((await watching.finished).code).toBe(130);
    const { code, events } = await slow.run('imaging-runs', ['attach', name, '--progress', 'json']);
    expect(code).toBe(0);
    expect(events.at(-1)).toMatchObject({ ok: ['fit01', 'fit02'] });
    expect(slow.links()).toEqual([]);
  });

  const noPty = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0 ? '' : ' (skipped: no program script, of util-linux)';
  test.skipIf(noPty !== '')(`q on a terminal ends the looking, not the run${noPty}`, async () => {
    const name = (await testbed.run('imaging-load', ['--detach', '1-2', '-u'])).stdout.trim();
    const terminal = spawn('script', ['-qec', `imaging-runs attach ${name}`, '/dev/null'], {
      env: { ...process.env, ...testbed.env, TERM: 'xterm', CI: undefined },
      cwd: scratch(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let shown = '';
    terminal.stdout.on('data', (text: Buffer) => {
      if (shown === '') terminal.stdin.write('q'); // the keys are listened to before anything is shown
      shown += text.toString();
    });
    const [code] = (await once(terminal, 'close')) as [number | null];
    expect(shown).toContain('q leaves it alone');
    expect(shown).toContain(`run ${name} goes on`);
    expect(code).toBe(0);
    expect((await runs('attach', name)).code).toBe(0);
  });

  test('a plan that is refused is told as ever, and leaves no run', async () => {
    const before = readdirSync(runsDir());
    expect(await testbed.run('imaging-load', ['--detach', '99'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('node 99 is not in the inventory'),
    });
    expect(await testbed.run('imaging-load', ['--detach', '1', '-i', 'nonsense'])).toMatchObject({ code: 4, stdout: '' });
    expect(readdirSync(runsDir())).toEqual(before);
  });

  test('a run that was killed: attach says so, resume goes on in the background', async () => {
    const ofSlow = (...args: string[]): Promise<Finished> => slow.run('imaging-runs', args);
    const name = (await slow.run('imaging-load', ['--detach', '1-2'])).stdout.trim();
    const watching = slow.start('imaging-runs', ['attach', name, '--progress', 'json']);
    await watching.event((event) => event.type === 'target.step' && event.step === 'write');
    process.kill(readPlan(join(slow.dir, 'state/runs', name))?.value.process?.pid ?? 0, 'SIGKILL');
    expect((await watching.finished).code).toBe(1);
    expect(await ofSlow('attach', name)).toMatchObject({ code: 1, stdout: expect.stringContaining(`imaging-runs resume ${name}`) });
    const resumed = await ofSlow('resume', name, '--detach');
    expect(resumed.code).toBe(0);
    const again = resumed.stdout.trim();
    expect((await ofSlow('attach', again)).code).toBe(0);
    expect(JSON.parse((await ofSlow('show', again, '--json')).stdout)).toMatchObject({ run: again, state: 'done', continues: name });
    expect(slow.links()).toEqual([]);
  });
});

describe('quarantine', () => {
  let config: Record<string, string>;
  beforeAll(() => {
    const file = join(scratch(), 'quarantine.conf');
    writeFileSync(file, '[nodes]\nquarantine_after = 2\n');
    config = { IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${file}` };
  });

  test('a node that failed again and again is skipped, with the reason, and the exit code says that it is not done', async () => {
    const { code, events, stderr } = await testbed.run('imaging-load', ['1', '4', '--progress', 'json'], config);
    expect(stderr).toBe('');
    expect(code).toBe(1);
    expect(events[0]).toMatchObject({ targets: ['fit01', 'fit04'] });
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'target.skipped',
        target: 'fit04',
        reason: expect.stringMatching(/in quarantine: failed \d+ times in a row, the last at reset \[cmc-refused\]/),
      }),
    );
    expect(events.some((event) => event.type === 'run.warning' && /--include-quarantined.*imaging-runs release 4/.test(event.text))).toBe(
      true,
    );
    expect(events.at(-1)).toMatchObject({ ok: ['fit01'], failed: [], skipped: ['fit04'], exitCode: 1 });
    expect((await runs('show')).stdout).toMatch(/skipped +1 +4\n +4 +in quarantine/);
    expect(await testbed.run('imaging-save', ['4'], config)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('every selected node is in quarantine: 4'),
    });
  });

  test('unless it is included, asked for its status, or released', async () => {
    const included = await testbed.run('imaging-load', ['4', '--include-quarantined', '--progress', 'json'], config);
    expect(failedNodes(included.events)).toEqual(['fit04']);
    expect((await testbed.run('imaging-status', ['4'], config)).stdout).toBe('reboot04:status N/A\n');
    expect(await testbed.run('imaging-runs', ['release', '3-4'], config)).toMatchObject({
      code: 0,
      stdout: 'released: 4\nhad no failures that count towards quarantine: 3\n',
    });
    expect(failedNodes((await testbed.run('imaging-load', ['4', '--progress', 'json'], config)).events)).toEqual(['fit04']);
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
