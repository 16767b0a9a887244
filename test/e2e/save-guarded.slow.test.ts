import { readFileSync, readdirSync, watch } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageRecords } from '../../src/runs/images.js';
import { systemHost } from '../../src/util/host.js';
import { run, scratch, start, type Finished, type Running } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

/** Each of these is many commands, on a machine that others may use. */
const MANY_MS = 180_000;

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
const imaging = (name: string, args: readonly string[]): Promise<Finished> => run(name, args, { cwd: here, env: testbed.env });
const starting = (name: string, args: readonly string[]): Running => start(name, args, { cwd: here, env: testbed.env });

/** What the records say of a node: a load of `from` that has the given state. */
function recordLoad(node: string, what: { state: 'writing' | 'written'; verify: 'none' | 'sample' }, from = 'demo'): Promise<void> {
  const record = {
    ...what,
    name: from,
    path: join(testbed.dir, 'images', `${from}.ndz`),
    digest: null,
    run: '20261126-091500-load-3f2a',
    by: 'ann',
    at: Date.now(),
    booted: true,
    stamp: null,
  };
  return imageRecords(setting('dir').replaceAll('"', ''), [], systemHost).record(node, record);
}

test(
  'a disk that the records call half-written is refused, untouched; with --force its image says so for ever, and so do share and load',
  async () => {
    await recordLoad('fit03', { state: 'writing', verify: 'none' });
    const before = files();
    const dry = await imaging('imaging-save', ['3', '-o', 'half-written', '--dry-run']);
    expect(dry.stdout).toContain('warning: fit03: its disk is half-written');
    const refused = await imaging('imaging-save', ['3', '-o', 'half-written', '--progress', 'json']);
    expect(refused.code).toBe(3);
    expect(refused.events.flatMap((event) => (event.type === 'target.step' ? [event.step] : []))).toEqual(['lock']);
    expect(refused.events).toContainEqual(
      expect.objectContaining({
        type: 'target.failed',
        code: 'disk-half-written',
        message: expect.stringContaining(`a load of demo (run 20261126-091500-load-3f2a, by ${userInfo().username}) began`) as unknown,
      }),
    );
    expect(files()).toEqual(before);
    const forced = await imaging('imaging-save', ['3', '-o', 'half-written', '--force', '--progress', 'quiet']);
    expect(forced.code).toBe(0);
    expect(forced.stdout).toMatch(/^ {2}3 {2}saved all the same, with the mark 'half-written': its disk is half-written/m);
    const path = pathOf(forced.stdout, 'fit03');
    expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toMatchObject({ disk: 'half-written' });
    expect((await imaging('imaging-image', ['info', '-q', path])).stdout).toMatch(/DISK +half-written when it was saved/);
    expect(await imaging('imaging-load', ['-i', path, '4', '--dry-run'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('while the disk was half-written') as unknown,
    });
    expect(await imaging('imaging-load', ['-i', path, '4', '--dry-run', '--force'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('it may not boot') as unknown,
    });
    expect((await imaging('imaging-share', ['half-written'])).code).toBe(3);
    expect(await imaging('imaging-share', ['-f', 'half-written'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('it is shared all the same') as unknown,
    });
    expect(JSON.parse(readFileSync(join(testbed.dir, 'images', 'half-written.ndz.json'), 'utf8'))).toMatchObject({ disk: 'half-written' });
    await recordLoad('fit03', { state: 'written', verify: 'sample' }, 'half-written');
    expect((await imaging('imaging-save', ['3', '--dry-run'])).stdout).toContain('it was loaded with half-written, saved from fit03');
  },
  MANY_MS,
);

test(
  'one that was not read back is refused alone, and the others go on',
  async () => {
    await recordLoad('fit03', { state: 'written', verify: 'none' });
    await recordLoad('fit04', { state: 'written', verify: 'sample' });
    const saved = await imaging('imaging-save', ['3', '4', '-o', 'unread', '--progress', 'json']);
    expect(saved.code).toBe(1);
    expect(saved.events).toContainEqual(
      expect.objectContaining({
        type: 'target.failed',
        target: 'fit03',
        step: 'lock',
        code: 'disk-unverified',
        message: expect.stringContaining('nothing was read back') as unknown,
      }),
    );
    expect(saved.events.flatMap((event) => (event.type === 'target.done' ? [event.target] : []))).toEqual(['fit04']);
  },
  MANY_MS,
);

test(
  'kill -9 leaves no image without its side files, whenever it comes, and imaging-sweep takes away the rest',
  async () => {
    const before = files();
    const save = starting('imaging-save', ['1', '-o', 'shot', '--progress', 'json']);
    const kill = (name: string | null): void =>
      void (name !== null && /^\.?saving__.*__shot\.ndz\.sha256/.test(name) && save.child.kill('SIGKILL'));
    const watcher = watch(folder(), (_, name) => kill(name)); // the first thing that is made once the image is checked
    await save.finished;
    watcher.close();
    const left = files().filter((name) => !before.includes(name));
    if (left.some((name) => name.endsWith('.ndz'))) expect(left).toHaveLength(3);
    const hidden = (): string[] => readdirSync(folder()).filter((name) => name.startsWith('.saving__'));
    const unfinished = hidden();
    const dry = await imaging('imaging-sweep', ['--dry-run']);
    for (const name of unfinished) expect(dry.stdout).toContain(`would remove ${join(folder(), name)}\n`);
    expect(hidden()).toEqual(unfinished);
    expect((await imaging('imaging-sweep', [])).code).toBe(0);
    expect(hidden()).toEqual([]);
    const after = files().filter((name) => !before.includes(name));
    expect(after.length === 0 || after.length === 3).toBe(true);
  },
  MANY_MS,
);
