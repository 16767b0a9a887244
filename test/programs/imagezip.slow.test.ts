import { randomBytes } from 'node:crypto';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeChunkHeader } from '../../src/ndz/codec/format.js';
import { verifyImage } from '../../src/ndz/check/verify.js';
import { inspectImage } from '../../src/ndz/read/inspect.js';
import { runImagezip } from '../../src/programs/imagezip.js';
import { runImageunzip } from '../../src/programs/imageunzip.js';
import type { ProgramIo } from '../../src/programs/program-io.js';
import { disk as diskFixture, expected as expectedFree, TAIL_NOTE } from '../helpers/disks.js';
import { chunksOf, descriptorsOf, expectedOf, fixture, sha256, temporaryFolder, UUID } from '../helpers/images.js';

type Run = { code: number; stdout: Buffer; stderr: string };
type Program = (argv: readonly string[], io: ProgramIo) => Promise<number>;

/** Runs a program in this process, with pipes of its own. */
async function run(program: Program, argv: readonly string[], io: { stdin?: Readable; signal?: AbortSignal } = {}): Promise<Run> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const collected = [stdout, stderr].map(async (stream) => Buffer.concat((await stream.toArray()) as Buffer[]));
  const code = await program(argv, { ...io, stdout, stderr });
  stdout.end();
  stderr.end();
  const [out = Buffer.alloc(0), err = Buffer.alloc(0)] = await Promise.all(collected);
  return { code, stdout: out, stderr: err.toString() };
}

let disk: Buffer;
beforeAll(() => {
  disk = Buffer.concat([Buffer.alloc(400_000, 'compressible '), randomBytes(700_000), Buffer.alloc(1_000_000), randomBytes(1_000_192)]);
});

async function folderWithDisk(): Promise<{ folder: string; raw: string; image: string }> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'raw'), disk);
  return { folder, raw: join(folder, 'raw'), image: join(folder, 'x.ndz') };
}

describe('imagezip', () => {
  test('saves a disk and says so as the 2015 program does', async () => {
    const { raw, image } = await folderWithDisk();
    const { code, stdout, stderr } = await run(runImagezip, ['-r', raw, image]);
    expect(code).toBe(0);
    expect(stdout.byteLength).toBe(0);
    const { sizeBytes, version, uuid } = await verifyImage(image);
    const wholeSectors = Math.ceil(disk.byteLength / 512) * 512;
    expect({ sizeBytes, version, uuid }).toEqual({ sizeBytes: 2 * 1_048_576, version: 3, uuid: null });
    expect(stderr).toMatch(
      new RegExp(
        [
          `^${wholeSectors} input \\(${wholeSectors} compressed\\) bytes in \\d+\\.\\d{3} seconds`,
          'Image size: 2097152 bytes',
          '\\d+\\.\\d{3}MB/second compressed',
          'Finished in \\d+\\.\\d{3} seconds',
          '$',
        ].join('\n'),
      ),
    );
  });

  test('saves a disk that it does not know whole, and says so', async () => {
    const { raw, image } = await folderWithDisk();
    const { code, stderr } = await run(runImagezip, [raw, image]);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^imagezip: the disk has no partition table.*\nimagezip: the disk holds nothing that is known here: saved raw\n3100672 input \(3100672 compressed\)/,
    );
  });

  test('says that a pipe is saved whole', async () => {
    const { image } = await folderWithDisk();
    expect((await run(runImagezip, ['-', image], { stdin: Readable.from([disk]) })).stderr).toMatch(
      /^imagezip: saving raw: a pipe can only be saved whole\n/,
    );
    expect(await run(runImagezip, ['-s1', '-', image], { stdin: Readable.from([disk]) })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a pipe cannot be looked into') as unknown,
    });
  });

  test('-o shows a dot per filled chunk, 61 to a line', async () => {
    const { folder, image } = await folderWithDisk();
    await writeFile(join(folder, 'large'), randomBytes(64 * 1_048_576));
    const { code, stderr } = await run(runImagezip, ['-orz0', join(folder, 'large'), image]);
    expect(code).toBe(0);
    // the byte count is how far on the disk the 61st chunk reached
    expect(stderr).toMatch(/^\.{61} {5}6[0-9]{7} {4}\d\n\.{3}\n67108864 input/);
  });

  test('-u gives format version 4 and that uuid', async () => {
    const { raw, image } = await folderWithDisk();
    expect((await run(runImagezip, ['-r', '-u', UUID, raw, image])).code).toBe(0);
    expect(await inspectImage(image)).toMatchObject({ version: 4, uuid: UUID });
  });

  test('-z sets the level', async () => {
    const { raw, image } = await folderWithDisk();
    await run(runImagezip, ['-r', '-z', '0', raw, image]);
    expect((await inspectImage(image)).chunkCount).toBe(3);
    await run(runImagezip, ['-rz9', raw, image]);
    expect((await inspectImage(image)).chunkCount).toBe(2);
  });

  test.each([
    [[], 'no disk given'],
    [['disk'], 'Must specify an output filename!'],
    [['-Q', 'disk', 'image'], "Unknown option '-Q'"],
    [['-s', '0', 'disk', 'image'], "partition '0' is not a number from 1 on"],
    [['-R', 'one', 'disk', 'image'], "partition 'one' is not a number from 1 on"],
    [['-F', 'x', 'disk', 'image'], "'x' is not a number of sectors"],
    [['-ln', 'disk', 'image'], '-l and -n do not go together'],
    [['-l', '-s1', 'disk', 'image'], '-s does not go with it'],
    [['-I', '2', '-s1', 'disk', 'image'], 'they do not go with -s'],
    [['-z', '10', 'disk', 'image'], "compression level '10' is not 0 to 9"],
    [['-z'], 'argument missing'],
    [['-u', '12', 'disk', 'image'], "uuid '12' is not 32 hex digits"],
    [['disk', 'image', 'more'], "unexpected 'more'"],
  ])('%j is a usage error', async (argv, words) => {
    const { code, stderr } = await run(runImagezip, argv);
    expect(code).toBe(1);
    expect(stderr).toContain(words);
    expect(stderr).toContain('usage: imagezip ');
  });

  test('exits 1 and leaves nothing when it cannot read or write', async () => {
    const { folder, raw } = await folderWithDisk();
    const missing = await run(runImagezip, ['-r', join(folder, 'none'), join(folder, 'y.ndz')]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/^imagezip: opening .*none: ENOENT/) as unknown });
    const full = await run(runImagezip, ['-r', raw, '/dev/full']);
    expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/^imagezip: writing \/dev\/full: ENOSPC/) as unknown });
    expect(await readdir(folder)).toEqual(['raw']);
  });

  test('stops when told to', async () => {
    const { folder, image } = await folderWithDisk();
    const controller = new AbortController();
    const stdin = new PassThrough();
    stdin.write(disk);
    const running = run(runImagezip, ['-r', '-', image], { stdin, signal: controller.signal });
    controller.abort(new Error('SIGTERM'));
    expect(await running).toMatchObject({ code: 143, stderr: 'imagezip: interrupted\n' });
    expect(await readdir(folder)).toEqual(['raw']);
    expect(await descriptorsOf(folder)).toBe(0);
  });
});

describe('imagezip, of partitions', () => {
  const PARTITION = 2048;

  async function zipped(name: string, ...options: string[]): Promise<Run & { image: string; raw: Buffer; path: string }> {
    const folder = await temporaryFolder();
    const [path, image] = [join(folder, 'raw'), join(folder, 'x.ndz')];
    const raw = diskFixture(name);
    await writeFile(path, raw);
    return { ...(await run(runImagezip, [...options, path, image])), image, raw, path };
  }
  const regionsOf = async (image: string): Promise<[number, number][]> =>
    chunksOf(await readFile(image)).flatMap((chunk, i) =>
      decodeChunkHeader(chunk, i).regions.map(({ startSector, sectorCount }): [number, number] => [startSector, startSector + sectorCount]),
    );
  const lines = (stderr: string): string[] => stderr.split('\n').filter((line) => !/seconds|second compressed|^Image size|^$/.test(line));

  test('leaves out what is free, in the words of the 2015 program', async () => {
    const { code, stderr, image, path } = await zipped('ext4');
    expect(code).toBe(0);
    expect(lines(stderr)).toEqual([
      `imagezip: ${TAIL_NOTE}`,
      'P2: unused, NOT SAVING.',
      'P3: unused, NOT SAVING.',
      'P4: unused, NOT SAVING.',
      'partitioner value (28672) different than computed value (26624); using the former',
    ]);
    const { diskBytes } = await verifyImage(image);
    expect(diskBytes).toBe((await stat(path)).size);
    const free = (expectedFree.ext4 ?? []).filter(([first, end]) => end - first >= 64);
    const savedSectors = (await regionsOf(image)).reduce((sum, [first, end]) => sum + end - first, 0);
    expect(savedSectors).toBe(diskBytes / 512 - free.reduce((sum, [first, end]) => sum + end - first, 0));
  });

  test('-F keeps more free space, -F 0 none', async () => {
    const sectorsOf = async (...options: string[]): Promise<number> =>
      (await regionsOf((await zipped('ext4-meta-bg', ...options)).image)).reduce((sum, [first, end]) => sum + end - first, 0);
    const [none, usual, more] = [await sectorsOf('-F', '0'), await sectorsOf(), await sectorsOf('-F', '2000')];
    expect(none).toBeLessThan(usual);
    expect(usual).toBeLessThan(more);
  });

  test('-s saves one partition, counted from its start; a logical one too', async () => {
    const { code, image, raw, stderr } = await zipped('extended', '-s', '6');
    expect(code).toBe(0);
    expect(lines(stderr)).toEqual([]);
    const { diskBytes } = await verifyImage(image);
    expect(diskBytes).toBe(6144 * 512);
    const out = `${image}.out`;
    await run(runImageunzip, [image, out]);
    const slice = raw.subarray(20_480 * 512, 26_624 * 512);
    const restored = await readFile(out);
    for (const [first, end] of await regionsOf(image))
      expect(restored.subarray(first * 512, end * 512).equals(slice.subarray(first * 512, end * 512))).toBe(true);
    expect(await zipped('ext4', '-s', '2')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has no partition 2: it has partitions 1') as unknown,
    });
  });

  test('-rs saves every sector of it', async () => {
    expect(await regionsOf((await zipped('ext4', '-rs1')).image)).toEqual([[0, 24_576]]);
  });

  test('-R saves every sector of a partition, -I none; both may come again', async () => {
    const raw = await zipped('extended', '-R', '5', '-R1');
    expect(lines(raw.stderr)).toEqual(
      expect.arrayContaining([
        'P1: forcing raw compression.',
        'P5: forcing raw compression.',
        'P7: Type 0x8e not supported, forcing raw compression.',
      ]),
    );
    expect((await regionsOf(raw.image))[0]?.[0]).toBe(0);
    expect((await regionsOf(raw.image))[0]?.[1]).toBeGreaterThan(16_384);
    const skipped = await zipped('extended', '-I6', '-I', '7');
    expect(lines(skipped.stderr)).toEqual(expect.arrayContaining(['P6: forcing skip, NOT SAVING.', 'P7: forcing skip, NOT SAVING.']));
    expect((await regionsOf(skipped.image)).some(([first, end]) => first < 26_624 && end > 20_480)).toBe(false);
  });

  test('-l and -n take a bare file system, of that kind only', async () => {
    const folder = await temporaryFolder();
    const [path, image] = [join(folder, 'part'), join(folder, 'x.ndz')];
    await writeFile(path, diskFixture('ext2').subarray(PARTITION * 512, PARTITION * 512 + 6 * 1_048_576));
    expect(await run(runImagezip, ['-l', path, image])).toMatchObject({ code: 0 });
    expect((await regionsOf(image)).length).toBeGreaterThan(1);
    expect(await run(runImagezip, ['-n', path, image])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('holds no NTFS file system') as unknown,
    });
  });

  test('-i says what would be saved, and saves nothing', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'raw');
    await writeFile(path, diskFixture('gpt'));
    const { code, stderr } = await run(runImagezip, ['-i', path]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^ {2}P1: Linux, ext4, 'fixture': start 2048, size 8192; \d+\.\d of 4\.0 MiB in use, clean, saved allocated$/m);
    expect(stderr).toMatch(/^ {2}P2: Linux swap, swap: .* saved header-only$/m);
    expect(stderr).toMatch(/^Total Number of Valid Sectors: \d+ \(bytes \d+\) in \d+ ranges$/m);
    expect(await readdir(folder)).toEqual(['raw']);
  });
});

describe('imageunzip', () => {
  test.each(['ext4', 'gpt', 'file-odd', 'frag-ext2-F0', 'ext4-v1'])("restores %s with the 2015 program's numbers", async (name) => {
    const folder = await temporaryFolder();
    const [image, out] = [join(folder, 'x.ndz'), join(folder, 'disk')];
    await writeFile(image, fixture(name));
    const { inflatedBytes, effectiveBytes, actualBytes, writtenBytes, writtenSha256, diskBytes } = expectedOf(name);
    const { code, stderr } = await run(runImageunzip, [image, out]);
    expect(code).toBe(0);
    const lines = stderr.split('\n');
    expect(lines[0]).toMatch(
      new RegExp(
        `^Decompressed ${inflatedBytes} bytes, wrote ${effectiveBytes} bytes \\(${actualBytes} actual\\) in \\d+\\.\\d{3} seconds$`,
      ),
    );
    expect(lines[1]).toMatch(new RegExp(`^${actualBytes} bytes of data in \\d+ ops \\(\\d+ bytes/op\\), \\d+ seeks$`));
    expect(lines[2]).toMatch(/^\d+ max bufs, \d+ max memory$/);
    expect(lines[3]).toMatch(/^0 buffers split, \d+ blocked on buf memory$/);
    const disk = await readFile(out);
    expect(disk.byteLength).toBe(diskBytes);
    expect(sha256(disk.subarray(0, writtenBytes))).toBe(writtenSha256);
  });

  test('-z adds what is zeroed to what is written', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'x.ndz'), fixture('ext4'));
    const { stderr } = await run(runImageunzip, ['-z', join(folder, 'x.ndz'), join(folder, 'disk')]);
    expect(stderr).toMatch(/^Decompressed 3398656 bytes, wrote 16777216 bytes \(16777216 actual\)/);
    expect(stderr).toMatch(/^ {2}3398656 bytes of disk data in \d+ ops .*\n {2}13378560 bytes of zero data in \d+ ops/m);
  });

  test('-o and -O show dots instead', async () => {
    const folder = await temporaryFolder();
    const image = join(folder, 'x.ndz');
    await writeFile(image, fixture('frag-ext2-F0'));
    const chunks = await run(runImageunzip, ['-o', image, join(folder, 'disk')]);
    expect(chunks.stderr).toMatch(/^\.{3} {64} {3}\d {6}0\n\d+ max bufs/);
    const bytes = await run(runImageunzip, ['-O', image, join(folder, 'disk')]);
    expect(bytes.stderr).toMatch(/^ {67} {3}\d {6}0\n\d+ max bufs/);
  });

  test.each([[[]], [['-']]])('writes the whole disk to standard output, free space as zeros (%j)', async (out) => {
    const folder = await temporaryFolder();
    const image = join(folder, 'x.ndz');
    for (const name of ['frag-ext2-F0', 'frag-ext2-F0-v1', 'file-odd']) {
      await writeFile(image, fixture(name));
      const { code, stdout, stderr } = await run(runImageunzip, [image, ...out]);
      const { writtenBytes, writtenSha256, diskBytes } = expectedOf(name);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^WARNING: output file is not seekable, must zero-fill free space\n/);
      expect(stdout.byteLength).toBe(diskBytes);
      expect(sha256(stdout.subarray(0, writtenBytes))).toBe(writtenSha256);
    }
  });

  test('takes what imagezip sends through a pipe', async () => {
    const pipe = new PassThrough();
    const zipping = runImagezip(['-z1', '-', '-'], {
      stdin: Readable.from([disk]),
      stdout: pipe,
      stderr: new PassThrough().resume(),
    }).finally(() => pipe.end());
    const { code, stdout } = await run(runImageunzip, ['-', '-'], { stdin: pipe });
    expect([await zipping, code]).toEqual([0, 0]);
    expect(Buffer.compare(stdout, disk)).toBe(0);
  });

  test('refuses chunks out of order on a pipe, since what is out is out', async () => {
    const image = fixture('frag-ext2-F0');
    const swapped = Buffer.concat([image.subarray(1 << 20, 2 << 20), image.subarray(0, 1 << 20), image.subarray(2 << 20)]);
    const { code, stderr } = await run(runImageunzip, ['-', '-'], { stdin: Readable.from([swapped]) });
    expect(code).toBe(1);
    expect(stderr).toContain('chunk 0: numbered 1');
  });

  test('does not touch the output when the image is no good', async () => {
    const folder = await temporaryFolder();
    const [image, out] = [join(folder, 'x.ndz'), join(folder, 'disk')];
    await writeFile(out, 'old');
    await writeFile(image, fixture('ext4').subarray(0, -1));
    expect(await run(runImageunzip, [image, out])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^imageunzip: .*not a multiple of 1048576/) as unknown,
    });
    await writeFile(image, fixture('ext4'));
    expect(await run(runImageunzip, [image, image])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is the image itself') as unknown,
    });
    expect(await readFile(out, 'utf8')).toBe('old');
    expect(Buffer.compare(await readFile(image), fixture('ext4'))).toBe(0);
  });

  test('fails on a cut pipe, a full disk, a missing image', async () => {
    const folder = await temporaryFolder();
    const cut = await run(runImageunzip, ['-', join(folder, 'disk')], {
      stdin: Readable.from([fixture('frag-ext2-F0').subarray(0, 2_500_000)]),
    });
    expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining('chunk 2 has only 402848 of 1048576 bytes') as unknown });
    const full = await run(runImageunzip, ['-', '/dev/full'], { stdin: Readable.from([fixture('ext4')]) });
    expect(full).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^imageunzip: writing \/dev\/full at byte \d+: ENOSPC/) as unknown,
    });
    expect((await run(runImageunzip, [join(folder, 'none'), join(folder, 'disk')])).code).toBe(1);
    expect((await run(runImageunzip, ['-Q'])).stderr).toContain('usage: imageunzip ');
    expect(await descriptorsOf(folder)).toBe(0);
    expect(await descriptorsOf('/dev/full')).toBe(0);
  });

  test('stops when told to, also while its input is silent', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const running = run(runImageunzip, ['-', join(folder, 'disk')], { stdin: new PassThrough(), signal: controller.signal });
    setImmediate(() => controller.abort(new Error('SIGTERM')));
    expect(await running).toMatchObject({ code: 143, stderr: 'imageunzip: interrupted\n' });
    expect(await descriptorsOf(folder)).toBe(0);
  });
});
