import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';
import { run, scratch, start, type Finished, type Running } from '../helpers/cli.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(4, '--on', '--size', '16');
});
afterAll(() => testbed.close());

/** Root's images go into the images folder, anybody else's into the current one. */
const here = scratch();
const folder = (): string => (process.getuid?.() === 0 ? join(testbed.dir, 'images') : here);
const files = (): string[] =>
  readdirSync(folder())
    .filter((name) => name.startsWith('saving__'))
    .sort();
const pathOf = (stdout: string, node: string): string => new RegExp(`^${node}:(.*\\.ndz)$`, 'm').exec(stdout)?.[1] ?? '';
const setting = (key: string): string =>
  new RegExp(`^${key} = (.*)$`, 'm').exec(readFileSync(join(testbed.dir, 'imaging.conf'), 'utf8'))?.[1] ?? '';

const imaging = (name: string, args: readonly string[], env: Record<string, string> = {}): Promise<Finished> =>
  run(name, args, { cwd: here, env: { ...testbed.env, ...env } });
const starting = (name: string, args: readonly string[]): Running => start(name, args, { cwd: here, env: testbed.env });

/** The testbed's configuration, and some more of the site's. */
function alsoConfigured(text: string): Record<string, string> {
  const file = join(scratch(), 'more.conf');
  writeFileSync(file, text);
  return { IMAGING_CONFIG: `${join(testbed.dir, 'imaging.conf')}:${file}` };
}

test('Ctrl-C in the middle leaves no image, not even a partial one', async () => {
  const before = files();
  const save = starting('imaging-save', ['2', '-o', 'half', '--progress', 'json']);
  await save.event((event) => event.type === 'target.progress');
  save.child.kill('SIGINT');
  expect((await save.finished).code).toBe(130);
  expect(files()).toEqual(before);
  expect(testbed.links()).toEqual([]);
});

test('an image that was whole before Ctrl-C stays, and is told', async () => {
  const save = starting('imaging-save', ['2', '-o', 'whole', '--progress', 'json']);
  await save.event((event) => event.type === 'target.step' && event.step === 'reboot');
  save.child.kill('SIGINT');
  const { code, events } = await save.finished;
  expect(code).toBe(130);
  const [path] = files().filter((name) => name.endsWith('__whole.ndz'));
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'run.warning', text: `fit02: its image is whole all the same: ${join(folder(), path ?? 'none')}` }),
  );
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', failed: ['fit02'] });
});

test('a node that loses power in the middle fails alone, with nothing left of its image', async () => {
  const before = files();
  const save = starting('imaging-save', ['1', '2', '-o', 'killed', '--passes', '1', '--progress', 'json']);
  await save.event((event) => event.type === 'target.step' && event.target === 'fit02' && event.step === 'read');
  save.child.kill('SIGSTOP'); // or all is read before the power goes, on a machine that is busy
  await fetch(`http://127.0.1.2:${setting('cmc_port')}/off`);
  save.child.kill('SIGCONT');
  const { code, events } = await save.finished;
  expect(code).toBe(1);
  const failed = events.flatMap((event) => (event.type === 'target.failed' ? [event] : []));
  expect(failed).toMatchObject([
    { target: 'fit02', step: 'read', code: expect.stringMatching(/^(telnet-closed|collect-broken)$/) as unknown },
  ]);
  expect(events.flatMap((event) => (event.type === 'target.done' ? [event.target] : []))).toEqual(['fit01']);
  expect(files().filter((name) => !before.includes(name))).toEqual([
    expect.stringMatching(/fit01.*\.ndz$/),
    expect.stringMatching(/fit01.*\.json$/),
    expect.stringMatching(/fit01.*\.sha256$/),
  ]);
});

test('a gateway without room says so, and nothing stays', async () => {
  const before = files();
  const limited = ['-c', 'ulimit -f 2048; exec "$0" "$@"', 'imaging-save', '1', '-o', 'large', '--progress', 'json'];
  const { code, events } = await imaging('/bin/sh', limited);
  expect(code).toBe(1);
  const [failed] = events.flatMap((event) => (event.type === 'target.failed' ? [event] : []));
  expect(failed).toMatchObject({
    target: 'fit01',
    step: 'read',
    code: 'collect-failed',
    blame: 'site',
    message: expect.stringMatching(/collecting into .*large.*EFBIG/) as unknown,
    hint: expect.stringContaining('ulimit') as unknown,
  });
  expect(files()).toEqual(before);
});

test('a root that cannot be mounted is a warning; none asks for no stamp', async () => {
  const [odd, none] = await Promise.all([
    imaging('imaging-save', ['1', '-o', 'odd', '--progress', 'quiet'], alsoConfigured('[frisbee]\nroot_partition = /dev/sdz9\n')),
    imaging('imaging-save', ['2', '-o', 'plain', '--progress', 'json'], alsoConfigured('[frisbee]\nroot_partition = none\n')),
  ]);
  expect(odd.stdout).toMatch(/^ok +1 +1\n {2}1 {2}not stamped: \/dev\/sdz9 could not be mounted: mount: .*$/m);
  expect(odd.stderr).toMatch(/^imaging: warning: fit01: not stamped: \/dev\/sdz9 could not be mounted: mount: .*\n$/);
  expect(odd.code).toBe(0);
  expect(JSON.parse(readFileSync(`${pathOf(odd.stdout, 'fit01')}.json`, 'utf8'))).toMatchObject({
    stamp: null,
    base: null,
    verified: true,
    disk: null,
    notStamped: expect.stringContaining('could not be mounted') as unknown,
  });
  expect(none.code).toBe(0);
  expect(none.events.filter((event) => event.type === 'target.step').map((event) => event.step)).toEqual([
    'lock',
    'pxe',
    'reset',
    'boot',
    'read',
    'check',
    'reboot',
  ]);
  expect(none.events.some((event) => event.type === 'run.warning')).toBe(false);
  expect(none.events.some((event) => event.type === 'target.note' && /its last image here has \d+\.\d MB/.test(event.text))).toBe(true);
});
