import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, onTestFinished } from 'vitest';
import { bin, run, start, type Finished, type Running } from '../../helpers/cli.js';
import { CHUNK_BYTES } from '../../../src/ndz/codec/format.js';
import { gptDisk, LARGER_BY_WORD } from '../../helpers/disks-of-other-sizes.js';
import { fixture, temporaryFolder } from '../../helpers/images.js';
import { hasLoop, loopDevice } from '../../helpers/loop.js';

const MIB = 1024 * 1024;
let folder: string;
const at = (name: string): string => join(folder, name);
const image = (...args: string[]): Promise<Finished> => run('imaging-image', args, { cwd: folder });
const json = (finished: Finished): Record<string, unknown> => JSON.parse(finished.stdout) as Record<string, unknown>;

/** A disk of 8 MiB with a table, one partition of text and noise. */
function disk(): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(MIB), randomBytes(2 * MIB), Buffer.alloc(5 * MIB, 'some text ')]);
  bytes[450] = 0x8e;
  bytes.writeUInt32LE(2048, 454);
  bytes.writeUInt32LE(14_336, 458);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

beforeEach(async () => {
  folder = await temporaryFolder();
});

describe('there and back', () => {
  test('zip, info, verify, unzip, verify, diff', async () => {
    const content = disk();
    await writeFile(at('disk'), content);
    const zip = await image('zip', 'disk', 'x.ndz', '--uuid', '00010203-0405-0607-0809-0a0b0c0d0e0f');
    expect(zip).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^x\.ndz: [\d.]+ MB in 3 chunks, for 8\.4 MB in use of a disk of 8\.4 MB; .*\/s\n$/) as unknown,
    });
    expect(zip.stderr).toMatch(/warning: partition 1 .*saved raw\n(.*\n)*zip 100 %/);
    const sha256 = createHash('sha256')
      .update(await readFile(at('x.ndz')))
      .digest('hex');
    expect(await readFile(at('x.ndz.sha256'), 'utf8')).toBe(`${sha256}  x.ndz\n`);
    const info = await image('info', 'x.ndz');
    expect(info.code).toBe(0);
    for (const words of [
      'version 4, 3 chunks, each with its SHA-1',
      '000102030405060708090a0b0c0d0e0f',
      'table        mbr',
      'partition 1  Linux LVM',
      `${sha256}, as its side file says`,
    ])
      expect(info.stdout).toContain(words);
    expect(await image('verify', 'x.ndz')).toMatchObject({
      code: 0,
      stdout: 'x.ndz: good: 3 chunks inflate to 8.4 MB; its SHA-1s and its SHA-256 match\n',
    });
    expect(await image('unzip', 'x.ndz', 'out')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^out: 8\.4 MB written, a file of 8\.4 MB; /) as unknown,
    });
    expect(Buffer.compare(await readFile(at('out')), content)).toBe(0);
    expect(await image('verify', 'x.ndz', 'out')).toMatchObject({ code: 0, stdout: 'out: holds x.ndz: all 3 regions compared, 8.4 MB\n' });
    await writeFile(at('out'), content.fill(0x55, 3 * MIB, 3 * MIB + 600));
    expect(await image('verify', 'x.ndz', 'out')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^out: DIFFERS from x\.ndz at byte 3145728, sector 6144, in the region of \d+ sectors from \d+ on\n$/,
      ) as unknown,
    });
    await image('zip', 'out', 'y.ndz', '-q', '--level', '9');
    const diff = await image('diff', 'x.ndz', 'y.ndz', '-q');
    expect(diff).toMatchObject({ code: 1, stderr: '' });
    expect(diff.stdout).toMatch(
      /^x\.ndz \(A\) and y\.ndz \(B\) differ: 1\.0 kB changed\n {2}partition 1 \(Linux LVM.*\): 1\.0 kB changed\n {2}in 1 run of sectors:\n {4}6144-6145 {2}changed\n$/,
    );
    expect(await image('diff', 'x.ndz', 'x.ndz')).toMatchObject({ code: 0, stdout: 'x.ndz and x.ndz hold the same disk\n' });
  });

  test('as JSON, and quietly', async () => {
    await writeFile(at('disk'), disk());
    const options = ['--json', '-q'];
    const zip = await image('zip', 'disk', 'x.ndz', ...options);
    expect(json(zip)).toMatchObject({
      image: 'x.ndz',
      sizeBytes: 3 * CHUNK_BYTES,
      diskBytes: 8 * MIB,
      version: 4,
      partitions: [{ number: 1, savedAs: 'raw' }],
    });
    expect(json(await image('info', 'x.ndz', ...options))).toMatchObject({
      path: 'x.ndz',
      chunkCount: 3,
      checksums: true,
      table: 'mbr',
      stamp: null,
      sha256: { ok: true },
      partitions: [{ number: 1, type: '0x8e' }],
    });
    expect(json(await image('verify', 'x.ndz', ...options))).toMatchObject({ ok: true, diskBytes: 8 * MIB });
    expect(json(await image('unzip', 'x.ndz', 'out', ...options))).toMatchObject({
      diskBytes: 8 * MIB,
      actualBytes: 8 * MIB,
      chunkCount: 3,
    });
    expect(json(await image('verify', 'x.ndz', 'out', '--sample', '1', ...options))).toMatchObject({
      ok: true,
      regionCount: 3,
      checkedCount: 3,
      difference: null,
    });
    expect(json(await image('diff', 'x.ndz', 'x.ndz', ...options))).toMatchObject({ same: true, runs: [] });
    expect((await image('unzip', 'x.ndz', 'out2', '-q')).stderr).toBe('');
  });

  test('through pipes', async () => {
    const content = disk();
    await writeFile(at('disk'), content);
    execFileSync(
      'bash',
      ['-c', `set -o pipefail; cat disk | "$0" zip - - | tee x.ndz | "$0" unzip - - > out`, join(bin, 'imaging-image')],
      { cwd: folder, stdio: ['ignore', 'inherit', 'ignore'] },
    );
    expect(Buffer.compare(await readFile(at('out')), content)).toBe(0);
    execFileSync('bash', ['-c', `"$0" unzip - out2 -q < x.ndz`, join(bin, 'imaging-image')], { cwd: folder, stdio: 'ignore' });
    expect(Buffer.compare(await readFile(at('out2')), content)).toBe(0);
  });

  test('one partition', async () => {
    const content = disk();
    await writeFile(at('disk'), content);
    expect((await image('zip', 'disk', 'x.ndz', '--slice', '1')).code).toBe(0);
    await writeFile(at('other'), Buffer.from(content).fill(0, MIB));
    expect(await image('unzip', 'x.ndz', 'other', '--slice', '1')).toMatchObject({ code: 0 });
    expect(Buffer.compare(await readFile(at('other')), content)).toBe(0);
    expect(await image('verify', 'x.ndz', 'other', '--slice', '1')).toMatchObject({ code: 0 });
    expect(await image('verify', 'x.ndz', 'other')).toMatchObject({ code: 1 });
    expect(
      execFileSync('bash', ['-c', '"$0" zip - z.ndz --slice 1 <disk 2>&1 || echo "exit $?"', join(bin, 'imaging-image')], {
        cwd: folder,
        encoding: 'utf8',
      }),
    ).toMatch(/a pipe can only be saved whole, not one partition of it\n.*give the path of the disk\nexit 4\n$/);
    expect(await image('zip', 'disk', 'y.ndz', '--slice', '3')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('no partition 3') as unknown,
    });
  });
});

describe('what is refused', () => {
  test('to replace a file, unless forced', async () => {
    await writeFile(at('disk'), disk());
    await writeFile(at('x.ndz'), 'old');
    expect(await image('zip', 'disk', 'x.ndz')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/x\.ndz exists already\n.*--force/) as unknown,
    });
    expect(await readFile(at('x.ndz'), 'utf8')).toBe('old');
    expect((await image('zip', 'disk', 'x.ndz', '-f')).code).toBe(0);
    expect(await image('unzip', 'x.ndz', 'disk')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('disk exists already') as unknown,
    });
    expect((await image('unzip', 'x.ndz', 'disk', '--force')).code).toBe(0);
    expect(await image('zip', 'disk', 'disk', '-f')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is the source itself') as unknown,
    });
    expect(await image('unzip', 'x.ndz', 'x.ndz', '-f')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('is the image itself') as unknown,
    });
  });

  test.each<[string[], string]>([
    [[], 'no action given'],
    [['zap', 'a', 'b'], 'did you mean zip?'],
    [['toString'], 'unknown action "toString"'],
    [['zip', 'a'], 'zip takes SOURCE IMAGE, not "a"'],
    [['info'], 'info takes IMAGE, not nothing'],
    [['diff', 'a', 'b', 'c'], 'diff takes A B'],
    [['zip', 'a', 'b', '--level', '10'], '--level: 10 is not a whole number from 0 to 9'],
    [['zip', 'a', 'b', '--slice', '0'], '--slice: 0 is not a whole number'],
    [['zip', 'a', 'b', '--uuid', 'x'], '--uuid: "x" is not 32 hex digits'],
    [['unzip', 'a', 'b', '--level', '1'], '--level means nothing to unzip'],
    [['verify', '-'], 'verify reads images here and there, which a pipe does not allow'],
    [['verify', 'a', '--sample', '3'], '--sample is for comparing a disk'],
    [['verify', 'a', 'b', '--sample', '3', '--full'], 'do not go together'],
    [['zip', 'a', '-', '--json'], 'do not go together'],
  ])('%j', async (args, words) => {
    expect(await image(...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(words) as unknown });
  });

  test.each([
    ['zip', '-', 'x.ndz'],
    ['zip', 'disk', '-'],
    ['unzip', '-', 'out'],
    ['unzip', 'x.ndz', '-'],
  ])('a terminal: %s %s %s', async (...words) => {
    await writeFile(at('disk'), disk());
    // script gives it a terminal
    const said = execFileSync('script', ['-qec', `${join(bin, 'imaging-image')} ${words.join(' ')}; echo "exit $?"`, '/dev/null'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(said).toMatch(/- is a terminal here.*\r\n.*for example: (cat|imaging-image) .*\r\nexit 2/);
    expect(await readdir(folder)).toEqual(['disk']);
  });

  test('a missing file', async () => {
    for (const args of [
      ['zip', 'none', 'x'],
      ['unzip', 'none', 'x'],
      ['info', 'none'],
      ['verify', 'none'],
      ['diff', 'none', 'none'],
    ]) {
      expect(await image(...args)).toMatchObject({ code: 4, stderr: expect.stringMatching(/none.*ENOENT/) as unknown });
    }
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a damaged image', () => {
  test.each<[string, () => Buffer, string]>([
    [
      'in its stream',
      () => fixture('frag-ext2-F0').fill(0xff, CHUNK_BYTES + 5000, CHUNK_BYTES + 5010),
      'chunk 1: its compressed stream is damaged',
    ],
    ['cut', () => fixture('frag-ext2-F0').subarray(0, -1), 'the last chunk has only 1048575'],
    ['without its last chunk', () => fixture('frag-ext2-F0').subarray(0, 2 * CHUNK_BYTES), 'its last chunks are missing'],
    ['that is none', () => Buffer.alloc(CHUNK_BYTES, 'x'), 'not with the magic number'],
  ])('%s is found by verify, and unzip leaves nothing', async (_, bytes, words) => {
    await writeFile(at('x.ndz'), bytes());
    expect(await image('verify', 'x.ndz')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(new RegExp(`^x\\.ndz: DAMAGED: .*${words}`)) as unknown,
    });
    expect(json(await image('verify', 'x.ndz', '--json'))).toMatchObject({ ok: false, code: expect.stringMatching(/^ndz-/) as unknown });
    expect(await image('unzip', 'x.ndz', 'out')).toMatchObject({ code: 4, stderr: expect.stringContaining(words) as unknown });
    expect(await readdir(folder)).toEqual(['x.ndz']);
  });

  test('without its last chunk is written when forced', async () => {
    await writeFile(at('x.ndz'), fixture('frag-ext2-F0').subarray(0, 2 * CHUNK_BYTES));
    expect(await image('info', 'x.ndz')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/note +its partition table speaks of .* its last chunks are missing\n/) as unknown,
    });
    expect(await image('unzip', 'x.ndz', 'out')).toMatchObject({ code: 4, stderr: expect.stringContaining('--force') as unknown });
    expect(await image('unzip', 'x.ndz', 'out', '--force')).toMatchObject({ code: 0 });
  });

  test('is found by its side file alone', async () => {
    await writeFile(at('x.ndz'), fixture('ext4'));
    await writeFile(at('x.ndz.sha256'), `${'0'.repeat(64)}  x.ndz\n`);
    expect(await image('verify', 'x.ndz')).toMatchObject({ code: 1, stdout: expect.stringContaining('its SHA-256 is') as unknown });
    expect(await image('info', 'x.ndz')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('BUT x.ndz.sha256 SAYS 0000') as unknown,
    });
  });
});

describe('an image that names more than its disk had', () => {
  test.each(LARGER_BY_WORD)('%s: good to verify, unzip and info, with a note', async (_, make, says) => {
    const content = make();
    await writeFile(at('disk'), content);
    expect((await image('zip', 'disk', 'x.ndz', '-q')).code).toBe(0);
    expect(await image('verify', 'x.ndz', '-q')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^x\\.ndz: good: .*\\n {2}note: ${says.source}`)) as unknown,
    });
    expect((json(await image('verify', 'x.ndz', '--json', '-q')) as { notes: string[] }).notes).toEqual([expect.stringMatching(says)]);
    expect(await image('verify', 'x.ndz', 'disk', '-q')).toMatchObject({ code: 0 });
    expect(await image('unzip', 'x.ndz', 'out', '-q')).toMatchObject({ code: 0, stderr: expect.stringMatching(says) as unknown });
    expect(Buffer.compare(await readFile(at('out')), content)).toBe(0);
    expect(await image('info', 'x.ndz', '-q')).toMatchObject({ code: 0, stdout: expect.stringMatching(says) as unknown });
    const piped = execFileSync(
      'bash',
      ['-c', '"$0" unzip x.ndz - -q 2>said | cmp - disk; exit ${PIPESTATUS[0]}', join(bin, 'imaging-image')],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(piped).toBe('');
    expect(await readFile(at('said'), 'utf8')).toMatch(says);
  });

  test('a table for sectors of 4096 bytes is told', async () => {
    await writeFile(at('disk'), gptDisk(16 * MIB, [{ first: 256, last: 2000 }], 4096));
    await image('zip', 'disk', 'x.ndz', '-q');
    expect((await image('info', 'x.ndz', '-q')).stdout).toMatch(/table +gpt, for disks with sectors of 4096 bytes only\n/);
    expect(json(await image('info', 'x.ndz', '--json', '-q'))).toMatchObject({ table: 'gpt', tableSectorBytes: 4096 });
  });
});

test("one of ours that was cut is found without its table's help", async () => {
  await writeFile(at('disk'), randomBytes(3 * MIB));
  await image('zip', 'disk', 'x.ndz', '--raw', '-q');
  await writeFile(at('cut.ndz'), (await readFile(at('x.ndz'))).subarray(0, 2 * CHUNK_BYTES));
  const words = 'in a chunk that says that others follow: its last chunks are missing';
  expect(await image('verify', 'cut.ndz', '-q')).toMatchObject({ code: 1, stdout: expect.stringContaining(words) as unknown });
  expect(await image('unzip', 'cut.ndz', 'out', '-q')).toMatchObject({ code: 4, stderr: expect.stringContaining(words) as unknown });
  expect(await image('unzip', 'cut.ndz', '-', '-q')).toMatchObject({ code: 4, stderr: expect.stringContaining(words) as unknown });
  expect(await image('info', 'cut.ndz', '-q')).toMatchObject({ code: 1, stdout: expect.stringContaining(words) as unknown });
  expect(await readdir(folder)).not.toContain('out');
});

test.skipIf(!hasLoop)(
  'the end of a larger disk behind the image is cleared, unless told otherwise (needs root and loop devices)',
  async () => {
    await writeFile(at('disk'), disk());
    await image('zip', 'disk', 'x.ndz', '-q');
    for (const [options, clearedFrom] of [
      [['--keep-end'], 16 * MIB],
      [[], 15 * MIB],
    ] as const) {
      const old = Buffer.alloc(16 * MIB, 'old');
      const device = await loopDevice(old);
      expect((await image('unzip', 'x.ndz', device, '-q', ...options)).code).toBe(0);
      expect(Buffer.compare((await readFile(device)).subarray(8 * MIB), old.fill(0, clearedFrom).subarray(8 * MIB))).toBe(0);
    }
  },
);

test('info shows the file systems of images that the 2015 imagezip made, and their stamp', async () => {
  await writeFile(at('x.ndz'), fixture('ext2-swap'));
  const { stdout } = await image('info', 'x.ndz');
  expect(stdout).toMatch(/partition 1 {2}Linux, ext2 'fixture': 1\.0 MB of 10\.5 MB in use, clean/);
  expect(stdout).toMatch(/partition 2 {2}Linux swap, swap: 32\.8 kB of 4\.2 MB in use/);
  const { makeDemoImage } = await import('../../../src/testbed/demo-image.js');
  const demo = await makeDemoImage(folder, { sizeBytes: 16 * MIB });
  if (!demo.hasFileSystem) return;
  expect((await image('info', 'demo.ndz')).stdout).toMatch(/stamp {8}\d{4}-.* - node none - image demo - by imaging/);
});

test('a failed zip leaves the image that it was to replace, with its checksum', async () => {
  await writeFile(at('disk'), disk());
  await image('zip', 'disk', 'x.ndz', '-q');
  const before = await readFile(at('x.ndz.sha256'), 'utf8');
  expect(await image('zip', '/dev/null', 'x.ndz', '--force')).toMatchObject({ code: 4 });
  expect(await readFile(at('x.ndz.sha256'), 'utf8')).toBe(before);
  expect((await image('verify', 'x.ndz')).code).toBe(0);
});

describe('an interrupted one leaves nothing', () => {
  /** When it says how far it is, its file is there. */
  const whenSaid = ({ child }: Running, words: RegExp, act: () => void): void => {
    let said = '';
    child.stderr.on('data', (text: string) => {
      if (words.test(said)) return;
      said += text;
      if (words.test(said)) act();
    });
  };

  test.each(['SIGINT', 'SIGTERM'] as const)('zip by %s', async (signal) => {
    await writeFile(at('disk'), randomBytes(64 * MIB));
    const running = start('imaging-image', ['zip', 'disk', 'x.ndz', '--level', '9', '--workers', '1'], { cwd: folder });
    whenSaid(running, /zip \d/, () => running.child.kill(signal));
    expect(await running.finished).toMatchObject({ code: signal === 'SIGINT' ? 130 : 143 });
    expect(await readdir(folder)).toEqual(['disk']);
  });

  test('unzip', async () => {
    await writeFile(at('disk'), randomBytes(48 * MIB));
    await image('zip', 'disk', 'x.ndz', '--level', '0', '-q');
    const running = start('imaging-image', ['unzip', 'x.ndz', 'out', '--workers', '1'], { cwd: folder });
    whenSaid(running, /unzip \d/, () => running.child.kill('SIGINT'));
    expect(await running.finished).toMatchObject({ code: 130 });
    expect((await readdir(folder)).sort()).toEqual(['disk', 'x.ndz', 'x.ndz.sha256']);
  });

  test('one that was killed outright: the next one of that name clears up', async () => {
    await writeFile(at('disk'), randomBytes(64 * MIB));
    const running = start('imaging-image', ['zip', 'disk', 'x.ndz', '--level', '9', '--workers', '1'], { cwd: folder });
    whenSaid(running, /zip \d/, () => running.child.kill('SIGKILL'));
    await running.finished;
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^\.x\.ndz\..*\.tmp$/), 'disk']);
    await writeFile(at('.x.ndz.00000000-1-2.abc.tmp'), 'of another machine');
    expect((await image('zip', 'disk', 'x.ndz', '--level', '0', '-q')).code).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['.x.ndz.00000000-1-2.abc.tmp', 'disk', 'x.ndz', 'x.ndz.sha256']);
  });

  test('zip into a pipe whose reader goes away', async () => {
    await writeFile(at('disk'), randomBytes(32 * MIB));
    const child = spawn('bash', ['-c', '"$0" zip disk - -q | head -c 100 >/dev/null; exit ${PIPESTATUS[0]}', join(bin, 'imaging-image')], {
      cwd: folder,
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([0, 4]).toContain(code); // it may notice at once or when it writes
    expect(await readdir(folder)).toEqual(['disk']);
  });
});

// needs root
describe.skipIf(process.getuid?.() !== 0)('a full disk', () => {
  test('ends zip and unzip with its name, and leaves nothing', async () => {
    await writeFile(at('disk'), randomBytes(8 * MIB));
    await image('zip', 'disk', 'x.ndz', '-q');
    await mkdir(at('small'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'none', at('small')]);
    onTestFinished(() => void execFileSync('umount', [at('small')]));
    expect(await image('zip', 'disk', 'small/x.ndz', '-q')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/writing small\/x\.ndz: ENOSPC.*\n.*free some space/) as unknown,
    });
    expect(await image('unzip', 'x.ndz', 'small/out', '-q')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/writing small\/out at byte \d+: ENOSPC/) as unknown,
    });
    expect(await readdir(at('small'))).toEqual([]);
  });
});

// needs root and loop devices
describe.skipIf(!hasLoop)('a disk', () => {
  test('is written, verified, and refused while it is mounted', async () => {
    await writeFile(at('x.ndz'), fixture('ext4'));
    const device = await loopDevice(Buffer.alloc(16 * MIB, 'old'));
    expect(await image('unzip', 'x.ndz', device, '--zero')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/: 16\.8 MB written; /) as unknown,
    });
    expect(await image('verify', 'x.ndz', device, '--full')).toMatchObject({ code: 0 });
    expect(json(await image('verify', 'x.ndz', device, '--json'))).toMatchObject({ fromMedium: true });
    execFileSync('mke2fs', ['-q', '-F', device], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    await mkdir(at('point'));
    execFileSync('mount', [device, at('point')]);
    onTestFinished(() => void execFileSync('umount', [at('point')]));
    const refused = await image('unzip', 'x.ndz', device);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(new RegExp(`${device} is in use.*\\n.*--force`)) as unknown });
    expect((await stat(at('point'))).isDirectory()).toBe(true);
    const zip = await image('zip', device, 'y.ndz');
    expect(zip).toMatchObject({ code: 0, stderr: expect.stringMatching(/warning: .*mounted/) as unknown });
    expect(await image('zip', 'x.ndz', device)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('an image belongs into a file') as unknown,
    });
  });
});
