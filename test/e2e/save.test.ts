import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sshExec } from '../../src/ssh/login.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';
import { run, scratch, start, type Finished, type Running } from '../helpers/cli.js';
import { unfinishedName } from '../../src/util/whole-file.js';

const NAME = `my "nice" naïve set'up $(reboot)`;
const COMMENT = `"; rm -rf / # \\0101 %s 'quoted' — 値`;

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
const diskOf = (node: string): string => join(testbed.dir, 'nodes', node, 'disk.img');
const pathOf = (stdout: string, node: string): string => new RegExp(`^${node}:(.*\\.ndz)$`, 'm').exec(stdout)?.[1] ?? '';
const setting = (key: string): string =>
  new RegExp(`^${key} = (.*)$`, 'm').exec(readFileSync(join(testbed.dir, 'imaging.conf'), 'utf8'))?.[1] ?? '';
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const imaging = (name: string, args: readonly string[], env: Record<string, string> = {}): Promise<Finished> =>
  run(name, args, { cwd: here, env: { ...testbed.env, ...env } });
const starting = (name: string, args: readonly string[]): Running => start(name, args, { cwd: here, env: testbed.env });

/** The testbed's configuration, and some more of the site's. */
function alsoConfigured(text: string): Record<string, string> {
  const file = join(scratch(), 'more.conf');
  writeFileSync(file, text);
  return { IMAGING_CONFIG: `${join(testbed.dir, 'imaging.conf')}:${file}` };
}

test('two nodes become two images that say where they come from, and load back', async () => {
  const left = unfinishedName('saving__fit01__2026-01-01@00-00__x.ndz').replace(`-${process.pid}-`, '-4194399-');
  writeFileSync(join(folder(), left), 'half of what a killed run was to save');
  const saved = await imaging('imaging-save', ['1', '2', '-o', NAME, '-c', COMMENT, '--progress', 'quiet']);
  expect(saved.stderr).toBe('');
  expect(saved.code).toBe(0);
  expect(testbed.links()).toEqual([]);
  await Promise.all(
    (
      [
        ['fit01', '3'],
        ['fit02', '4'],
      ] as const
    ).map(async ([from, onto]) => {
      const path = pathOf(saved.stdout, from);
      expect(path).toMatch(new RegExp(`/saving__${from}__\\d{4}-\\d\\d-\\d\\d@\\d\\d-\\d\\d__${NAME.replace(/[$()]/g, '\\$&')}\\.ndz$`));
      expect(readFileSync(`${path}.sha256`, 'utf8')).toContain(sha256(path));
      const stamp = expect.stringMatching(
        new RegExp(`^\\S+ - node ${from} - image ${NAME.replace(/[$()]/g, '\\$&')} - by \\S+ - from demo - `),
      ) as unknown;
      expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toMatchObject({
        image: NAME,
        node: from,
        comment: COMMENT,
        verified: true,
        sha256: sha256(path),
        base: expect.stringContaining('image demo') as unknown,
        stamp,
      });
      const info = JSON.parse((await imaging('imaging-image', ['info', '--json', '-q', path])).stdout) as {
        stamp: string;
        notes: string[];
      };
      expect(info.stamp).toEqual(stamp);
      expect(info.stamp.endsWith(` - ${COMMENT}`)).toBe(true);
      expect(info.notes).toEqual([]);
      const loaded = await imaging('imaging-load', ['-i', path, onto, '-u', '--progress', 'quiet']);
      expect(loaded.code).toBe(0);
      const compared = await imaging('imaging-image', ['verify', '-q', path, diskOf(`fit0${onto}`)]);
      expect(compared.stdout).toMatch(/all \d+ regions compared/);
      const seen = await sshExec(
        {
          host: `127.0.3.${onto}`,
          port: Number(setting('ssh_port')),
          username: 'root',
          auth: { privateKeys: [] },
          timeoutMs: 10_000,
          signal: AbortSignal.timeout(10_000),
        },
        'cat /etc/imaging-image',
      );
      expect(seen.stdout.trimEnd().split('\n').at(-1)).toBe(info.stamp);
    }),
  );
  expect(readdirSync(folder()).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('an image of an image names its base; two saves in one minute are two images, and a name means the newest', async () => {
  const paths: string[] = [];
  for (const comment of ['first', 'second']) {
    const saved = await imaging('imaging-save', ['1', '-o', 'twice.ndz', '-c', comment, '--progress', 'quiet']);
    expect(saved.code).toBe(0);
    paths.push(pathOf(saved.stdout, 'fit01'));
  }
  const [first = '', second = ''] = paths;
  expect(second).not.toBe(first);
  const { base, stamp } = JSON.parse(readFileSync(`${second}.json`, 'utf8')) as { base: string; stamp: string };
  expect(base).toMatch(/ - image twice - by .* - first$/);
  expect(stamp).toMatch(/ - image twice - by \S+ - from twice - second$/);
  const resolved = await imaging('imaging-resolve', ['twice']);
  expect(resolved.stdout).toBe(`${second}\n`);
});

test("root's images go to images_dir, anybody else's to the folder they stand in", async () => {
  const elsewhere = scratch();
  const saved = await run('imaging-save', ['3', '-o', 'whither', '--progress', 'quiet'], { cwd: elsewhere, env: testbed.env });
  expect(saved.code).toBe(0);
  expect(dirname(pathOf(saved.stdout, 'fit03'))).toBe(process.getuid?.() === 0 ? join(testbed.dir, 'images') : elsewhere);
});

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

test.each(['imagezip', 'netcat'])('a small system without %s is the site’s, and no node is tried again', async (key) => {
  const { code, events } = await imaging(
    'imaging-save',
    ['2', '--progress', 'json'],
    alsoConfigured(`[frisbee]\n${key} = no-such-thing\n`),
  );
  expect(code).toBe(1);
  expect(events.flatMap((event) => (event.type === 'target.failed' ? [event] : []))).toMatchObject([
    { step: 'read', code: 'no-such-program', blame: 'site', message: expect.stringContaining('no-such-thing') as unknown },
  ]);
  expect(events.some((event) => event.type === 'target.retry')).toBe(false);
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

test.each([
  ['a name with a slash', ['-o', '../x'], 'no slash'],
  ['a name with a line end', ['-o', 'a\nb'], 'no control characters'],
  ['a name that leaves no room in a file name', ['-o', 'é'.repeat(100)], /has at most \d+ bytes here, this one 200/],
  ['an empty name', ['-o', ' '], 'is not empty'],
  ['a comment with an escape', ['-c', 'a\u001b[2Jb'], 'no control characters'],
  ['a comment of many bytes', ['-c', 'x'.repeat(1001)], 'at most 1000 bytes, this one 1001'],
])('%s is refused', async (_, args, said) => {
  const before = files();
  const result = await imaging('imaging-save', ['1', ...args]);
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(said);
  expect(files()).toEqual(before);
});

test('a dry run says what would be saved where, and touches nothing', async () => {
  const before = files();
  const result = await imaging('imaging-save', ['1-2', '-o', 'dry', '--dry-run', '--progress', 'json']);
  expect(JSON.parse(result.stdout)).toMatchObject({
    nodes: ['fit01', 'fit02'],
    image: 'dry',
    stamp: '/dev/sda1',
    files: [expect.stringContaining('saving__fit01__'), expect.stringContaining('saving__fit02__')],
  });
  expect(files()).toEqual(before);
});
