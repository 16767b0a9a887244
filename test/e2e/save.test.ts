import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sshExec } from '../../src/ssh/login.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';
import { run, scratch, type Finished } from '../helpers/cli.js';
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
