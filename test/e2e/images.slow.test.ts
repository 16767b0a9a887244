import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { run, scratch, type Finished } from '../helpers/cli.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { fixture, fixtureNames, sha256 } from '../helpers/images.js';

const SAVED = 'saving__fit07__2026-11-21@01-16__my set.ndz';
const content = fixture(fixtureNames[0] ?? '');
let [cwd, imagesDir, config] = ['', '', ''];

beforeEach(() => {
  [cwd, imagesDir] = [scratch(), join(scratch(), 'images')];
  mkdirSync(imagesDir);
  config = join(scratch(), 'imaging.conf');
  writeFileSync(config, `[frisbee]\nimages_dir = "${imagesDir}"\ndefault_image = base\n`);
  writeFileSync(join(imagesDir, 'base.ndz'), content);
  writeFileSync(join(cwd, SAVED), content);
  writeFileSync(join(cwd, `${SAVED}.sha256`), `${sha256(content)}  ${SAVED}\n`);
  utimesSync(join(imagesDir, 'base.ndz'), 1_700_000_000, 1_700_000_000);
});

const imaging = (name: string, ...args: string[]): Promise<Finished> =>
  run(name, args, { cwd, env: { IMAGING_CONFIG: config, HOME: scratch(), TZ: 'UTC' } });

test('an image is found by what it was called, listed, shared, and found by its own name', async () => {
  expect((await imaging('imaging-resolve', 'my set')).stdout).toBe(`${join(cwd, SAVED)}\n`);
  expect((await imaging('imaging-list', '-d')).stdout).toMatch(
    /^\S+ \S+ +\S+ \S+ {2}\.\/saving__fit07__2026-11-21@01-16__my set\n2023-11-14 22:13 +\S+ \S+ {2}base\n2 images, .*\n$/,
  );
  const dry = await imaging('imaging-share', '-n', '-a', 'best', 'my set');
  expect(dry).toMatchObject({
    code: 0,
    stderr: '',
    stdout: `would move ${join(cwd, SAVED)} to ${join(imagesDir, 'my set.ndz')}\nwould link ${join(imagesDir, 'best.ndz')} to my set.ndz\n`,
  });
  expect(readdirSync(imagesDir)).toEqual(['base.ndz']);
  const shared = await imaging('imaging-share', '-a', 'best', 'my set');
  expect(shared).toMatchObject({ code: 0, stderr: '', stdout: dry.stdout.replace('would move', 'moved').replace('would link', 'linked') });
  expect(readdirSync(cwd).filter((name) => name !== 'imaging.log')).toEqual([]);
  expect(readFileSync(join(imagesDir, 'my set.ndz.sha256'), 'utf8')).toBe(`${sha256(content)}  my set.ndz\n`);
  const listed = JSON.parse((await imaging('imaging-list', '--json', 'best')).stdout) as unknown;
  expect(listed).toMatchObject({
    images: [{ name: 'my set', aliases: ['best'], radical: 'my set', node: null, provenance: null, sizeBytes: content.byteLength }],
  });
  expect((await imaging('imaging-list', '-N', '~base')).stdout).toBe('my set\n');
  const resolved = await imaging('imaging-resolve', '-v', 'best');
  expect(resolved.stdout).toContain(`${join(imagesDir, 'best.ndz')}\n  leads to ${join(imagesDir, 'my set.ndz')}\n`);
  expect((await imaging('imaging-resolve')).stdout).toBe(`${join(imagesDir, 'base.ndz')}\n`);
});

test('nothing is overwritten, and nothing damaged is shared', async () => {
  writeFileSync(join(imagesDir, 'my set.ndz'), 'theirs');
  utimesSync(join(imagesDir, 'my set.ndz'), 1_700_000_000, 1_700_000_000);
  const taken = await imaging('imaging-share', 'my set');
  expect(taken).toMatchObject({
    code: 3,
    stdout: '',
    stderr: `imaging: ${join(imagesDir, 'my set.ndz')} exists already, of 2023-11-14 22:13 (UTC)\n  --force replaces it\n`,
  });
  writeFileSync(join(cwd, SAVED), Buffer.concat([content.subarray(0, content.length - 1), Buffer.from([1])]));
  const damaged = await imaging('imaging-share', '-f', 'my set');
  expect(damaged.code).toBe(4);
  expect(damaged.stderr).toMatch(/its SHA-256 is \w+, its side file says/);
  writeFileSync(join(cwd, SAVED), content.subarray(0, 3000));
  expect((await imaging('imaging-share', '-f', 'my set')).code).toBe(4);
  expect(readFileSync(join(imagesDir, 'my set.ndz'), 'utf8')).toBe('theirs');
});

test('a broken link is shown as one, and what makes no sense is refused', async () => {
  symlinkSync('gone.ndz', join(imagesDir, 'old.ndz'));
  expect((await imaging('imaging-list', 'old')).stdout).toMatch(/ - {2}old {2}broken link to gone\.ndz\n0 images, 0 B; 1 broken link\n$/);
  expect(await imaging('imaging-resolve', 'old')).toMatchObject({ code: 4, stdout: '' });
  expect(await imaging('imaging-resolve', 'bsae')).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('did you mean base?') as unknown,
  });
  for (const args of [
    ['imaging-share'],
    ['imaging-share', 'a', 'b'],
    ['imaging-share', '-a', '../x', 'my set'],
    ['imaging-resolve', 'a', 'b'],
    ['imaging-list', '-s', '-d'],
  ] as const) {
    const [name, ...words] = args;
    expect((await imaging(name, ...words)).code).toBe(2);
  }
});

test('a cut image is refused by share, unless its checksum vouches for it', async () => {
  const cut = fixture('frag-ext2-F0').subarray(0, 2 * CHUNK_BYTES);
  writeFileSync(join(cwd, SAVED), cut);
  rmSync(join(cwd, `${SAVED}.sha256`));
  const shared = await imaging('imaging-share', 'my set');
  expect(shared).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/its last chunks are missing\n.*save it again, or copy the image again/) as unknown,
  });
  writeFileSync(join(cwd, `${SAVED}.sha256`), `${sha256(cut)}  ${SAVED}\n`); // who says so is believed
  expect(await imaging('imaging-share', 'my set')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/warning: .*speaks of 63488 sectors.*it is what was recorded beside it/) as unknown,
  });
});
