import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPlan } from '../../src/runs/plan-file.js';
import { scratch, type Finished } from '../helpers/cli.js';
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
const runs = (...args: string[]): Promise<Finished> => testbed.run('imaging-runs', args);

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
