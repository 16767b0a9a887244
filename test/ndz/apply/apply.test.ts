import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, test, onTestFinished } from 'vitest';
import { applyImage } from '../../../src/ndz/apply/apply.js';
import { CHUNK_BYTES, HEADER_BYTES } from '../../../src/ndz/codec/format.js';
import { writeImage, zipDisk } from '../../../src/ndz/write/writer.js';
import {
  chunkOf,
  chunksOf,
  descriptorsOf,
  expectedOf,
  fixture,
  fixtureNames,
  headerOf,
  sha256,
  temporaryFolder,
} from '../../helpers/images.js';
import { hasLoop, loopDevice, loopOf } from '../../helpers/loop.js';

const failure = (code: string, words: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(words) as unknown });

async function imageFile(bytes: Uint8Array): Promise<{ folder: string; image: string; disk: string }> {
  const folder = await temporaryFolder();
  const image = join(folder, 'x.ndz');
  await writeFile(image, bytes);
  return { folder, image, disk: join(folder, 'disk') };
}

describe.each(fixtureNames)('%s', (name) => {
  const { writtenBytes, writtenSha256, diskBytes, effectiveBytes, actualBytes, inflatedBytes } = expectedOf(name);

  test.each(['file', 'stream'])("from a %s: what the 2015 imageunzip writes, in a file of the disk's size", async (kind) => {
    const { image, disk } = await imageFile(fixture(name));
    await writeFile(disk, Buffer.alloc(1_000_000, 'old content'));
    const result = await applyImage(kind === 'file' ? image : Readable.from([fixture(name)]), disk);
    expect(result).toMatchObject({ effectiveBytes, actualBytes, inflatedBytes, diskBytes, zeroBytes: 0, notes: [] });
    const seen = await readFile(disk);
    expect(seen.byteLength).toBe(diskBytes);
    expect(sha256(seen.subarray(0, writtenBytes))).toBe(writtenSha256);
    expect(await descriptorsOf(disk)).toBe(0);
    expect(await descriptorsOf(image)).toBe(0);
  });
});

test('writes no zeros into a file, whether the image has them or not', async () => {
  const { folder, image, disk } = await imageFile(Buffer.alloc(0));
  const raw = Buffer.alloc(64 * 1024 * 1024);
  raw.set(randomBytes(100_000), 30_000_000);
  await writeFile(join(folder, 'raw'), raw);
  await writeImage(join(folder, 'raw'), image);
  expect(await applyImage(image, disk)).toMatchObject({ actualBytes: raw.byteLength });
  expect(Buffer.compare(await readFile(disk), raw)).toBe(0);
  expect((await stat(disk)).blocks * 512).toBeLessThan(1_000_000);
});

test('takes chunks that inflate to more than 32 MiB, next to small ones', async () => {
  const { image, disk } = await imageFile(Buffer.alloc(0));
  const big = (40 * 1024 * 1024) / 512;
  const marked = Buffer.alloc(big * 512, 'zero or not');
  await writeFile(
    image,
    Buffer.concat([
      chunkOf(headerOf({ lastSector: 8 })),
      chunkOf(headerOf({ index: 1, firstSector: 8, lastSector: 8 + big, regions: [{ startSector: 8, sectorCount: big }] }), marked),
    ]),
  );
  expect(await applyImage(image, disk, { workers: 2 })).toMatchObject({ diskBytes: 4096 + marked.byteLength, chunkCount: 2 });
  expect(Buffer.compare((await readFile(disk)).subarray(4096), marked)).toBe(0);
});

describe('an image that is no good', () => {
  const three = (): Buffer => Buffer.from(fixture('frag-ext2-F0'));
  const damaged = (): Buffer => three().fill(0xff, 2 * CHUNK_BYTES + HEADER_BYTES + 1000, 2 * CHUNK_BYTES + HEADER_BYTES + 1010);
  const twice = (): Buffer => Buffer.concat([three(), three().subarray(2 * CHUNK_BYTES)]);
  test.each<[string, () => Uint8Array, string, string]>([
    ['cut within a chunk', () => three().subarray(0, -5), 'ndz-truncated', 'has only 1048571'],
    ['longer than whole chunks', () => Buffer.concat([three(), Buffer.alloc(9)]), 'ndz-truncated', 'has only 9'],
    ['with a chunk twice', twice, 'ndz-chunk-order', 'numbered 2'],
    [
      'of another uuid',
      () => Buffer.concat([three().subarray(0, CHUNK_BYTES), three().subarray(CHUNK_BYTES).fill(1, 328, 344)]),
      'ndz-uuid-mismatch',
      'uuid 0101',
    ],
    ['empty', () => Buffer.alloc(0), 'ndz-empty', 'empty'],
  ])('%s is refused before the disk is touched', async (_, bytes, code, words) => {
    const { image, disk } = await imageFile(bytes());
    await writeFile(disk, 'old');
    await expect(applyImage(image, disk)).rejects.toThrow(failure(code, words));
    expect(await readFile(disk, 'utf8')).toBe('old');
  });

  test('inside is an error, and an atomic file does not appear', async () => {
    const { folder, image, disk } = await imageFile(damaged());
    await expect(applyImage(image, disk, { atomic: true })).rejects.toThrow(failure('ndz-bad-stream', 'chunk 2'));
    expect(await readdir(folder)).toEqual(['x.ndz']);
    await writeFile(disk, 'old');
    await expect(applyImage(image, disk, { atomic: true })).rejects.toThrow(failure('ndz-bad-stream', 'chunk 2'));
    expect(await readFile(disk, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['disk', 'x.ndz']);
    expect(await descriptorsOf(folder)).toBe(0);
  });

  test.each<[string, () => Uint8Array, string, string]>([
    ['cut', () => three().subarray(0, -5), 'ndz-truncated', 'has only 1048571'],
    [
      'with a chunk missing',
      () => Buffer.concat([three().subarray(0, CHUNK_BYTES), three().subarray(2 * CHUNK_BYTES)]),
      'ndz-chunk-order',
      'numbered 2',
    ],
    ['damaged', damaged, 'ndz-bad-stream', 'chunk 2'],
    ['that is none', () => Buffer.alloc(2 * CHUNK_BYTES, 'x'), 'ndz-bad-magic', 'chunk 0'],
  ])('from a pipe, %s, leaves no file', async (_, bytes, code, words) => {
    const { folder, disk } = await imageFile(three());
    await expect(applyImage(Readable.from([bytes()]), disk, { atomic: true })).rejects.toThrow(failure(code, words));
    expect(await readdir(folder)).toEqual(['x.ndz']);
  });

  const lost = 'its last chunks are missing';
  test.each([
    ['partition table', 2, () => three()],
    ['file system', 1, () => partOf('frag-ext2-F0')],
  ] as const)('without the end that its %s speaks of: refused, from a file before the disk is touched', async (what, kept, bytes) => {
    const cut = (await bytes()).subarray(0, kept * CHUNK_BYTES);
    const { folder, image, disk } = await imageFile(cut);
    await writeFile(disk, 'old');
    await expect(applyImage(image, disk)).rejects.toThrow(
      failure('ndz-cut', `its ${what === 'file system' ? 'ext ' : ''}${what} speaks of`),
    );
    expect(await readFile(disk, 'utf8')).toBe('old');
    await expect(applyImage(Readable.from([cut]), disk, { atomic: true })).rejects.toThrow(failure('ndz-cut', lost));
    expect(await readFile(disk, 'utf8')).toBe('old');
    expect((await readdir(folder)).sort()).toEqual(['disk', 'x.ndz']);
    expect(await applyImage(Readable.from([cut]), disk, { allowCut: true })).toMatchObject({ chunkCount: kept });
    expect(await applyImage(image, disk, { allowCut: true })).toMatchObject({ chunkCount: kept });
  });

  test('of version 1, that comes in part through a pipe, is refused', async () => {
    const chunks = [0, 1].map((index) =>
      chunkOf(
        headerOf({
          version: 1,
          index,
          total: 2,
          uuid: null,
          firstSector: index * 8,
          lastSector: index * 8 + 8,
          regions: [{ startSector: index * 8, sectorCount: 8 }],
        }),
      ),
    );
    const { disk } = await imageFile(three());
    expect(await applyImage(Readable.from(chunks), disk)).toMatchObject({ chunkCount: 2 });
    await expect(applyImage(Readable.from(chunks.slice(0, 1)), disk, { atomic: true })).rejects.toThrow(
      failure('ndz-truncated', 'says the image has 2 chunks, and 1 came'),
    );
  });

  test('or is the disk itself is refused', async () => {
    const { image } = await imageFile(three());
    await expect(applyImage(image, image)).rejects.toThrow(failure('disk-open-failed', 'is the image itself'));
    expect(Buffer.compare(await readFile(image), fixture('frag-ext2-F0'))).toBe(0);
  });
});

test('a full disk is named with place and cause', async () => {
  const { image } = await imageFile(fixture('ext4'));
  await expect(applyImage(image, '/dev/full')).rejects.toThrow(failure('disk-write-failed', 'ENOSPC'));
  expect(await descriptorsOf('/dev/full')).toBe(0);
});

test('stops when told to, and leaves no atomic file', async () => {
  const { folder, image, disk } = await imageFile(Buffer.alloc(0));
  await writeFile(join(folder, 'raw'), randomBytes(9_000_000));
  await writeImage(join(folder, 'raw'), image, { level: 0 });
  const controller = new AbortController();
  const reason = new Error('enough');
  await expect(
    applyImage(image, disk, { atomic: true, signal: controller.signal, workers: 1, onProgress: () => controller.abort(reason) }),
  ).rejects.toBe(reason);
  await expect(applyImage(image, disk, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect((await readdir(folder)).sort()).toEqual(['raw', 'x.ndz']);
  expect(await descriptorsOf(folder)).toBe(0);
});

/** An image of a bare file system in several chunks. */
async function partOf(name: string): Promise<Buffer> {
  const folder = await temporaryFolder();
  await applyImage(Readable.from([fixture(name)]), join(folder, 'disk'));
  await zipDisk(join(folder, 'disk'), join(folder, 'part.ndz'), { plan: { slice: 1, raw: true }, level: 0, endMark: false });
  return readFile(join(folder, 'part.ndz'));
}

/** A disk of 8 MiB, filled with a pattern, with partitions from 1 to 3 MiB and from 3 to 7 MiB. */
function partitioned(): Buffer {
  const disk = Buffer.alloc(8 * 1024 * 1024, 'old!');
  disk.fill(0, 446, 510);
  for (const [number, start, count] of [
    [0, 2048, 4096],
    [1, 6144, 8192],
  ] as const) {
    disk[446 + 16 * number + 4] = 0x83;
    disk.writeUInt32LE(start, 446 + 16 * number + 8);
    disk.writeUInt32LE(count, 446 + 16 * number + 12);
  }
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

describe('into a partition', () => {
  const slice = async (sizeBytes: number): Promise<{ folder: string; image: string; content: Buffer }> => {
    const { folder, image } = await imageFile(Buffer.alloc(0));
    const content = randomBytes(sizeBytes);
    await writeFile(join(folder, 'raw'), content);
    await writeImage(join(folder, 'raw'), image, {
      ranges: [
        { startSector: 0, endSector: 16 },
        { startSector: 1000, endSector: sizeBytes / 512 },
      ],
    });
    return { folder, image, content };
  };

  test.each([[false], [true]])('of a file: nothing outside is touched (zero-filled: %s)', async (zeroFill) => {
    const { folder, image, content } = await slice(1024 * 1024);
    const before = partitioned();
    await writeFile(join(folder, 'disk'), before);
    await applyImage(image, join(folder, 'disk'), { slice: 1, zeroFill });
    const wanted = Buffer.from(before);
    const at = 1024 * 1024;
    if (zeroFill) wanted.fill(0, at, at + 2 * 1024 * 1024);
    wanted.set(content.subarray(0, 16 * 512), at);
    wanted.set(content.subarray(1000 * 512), at + 1000 * 512);
    expect(Buffer.compare(await readFile(join(folder, 'disk')), wanted)).toBe(0);
  });

  test('that does not exist, or is too small, is refused before anything is written', async () => {
    const { folder, image } = await slice(3 * 1024 * 1024);
    await writeFile(join(folder, 'disk'), partitioned());
    await expect(applyImage(image, join(folder, 'disk'), { slice: 3 })).rejects.toThrow(failure('slice-missing', 'partition 3'));
    await expect(applyImage(image, join(folder, 'disk'), { slice: 1 })).rejects.toThrow(failure('disk-too-small', 'partition 1 of'));
    await writeFile(join(folder, 'empty'), Buffer.alloc(1024 * 1024));
    await expect(applyImage(image, join(folder, 'empty'), { slice: 1 })).rejects.toThrow(failure('slice-missing', 'partition 1'));
    expect(Buffer.compare(await readFile(join(folder, 'disk')), partitioned())).toBe(0);
  });

  test('comes back as it was saved from one', async () => {
    const { folder } = await imageFile(Buffer.alloc(0));
    const disk = join(folder, 'disk');
    const before = partitioned();
    before.set(randomBytes(4 * 1024 * 1024), 3 * 1024 * 1024);
    await writeFile(disk, before);
    await zipDisk(disk, join(folder, 'two.ndz'), { plan: { slice: 2 } });
    const emptied = Buffer.from(before).fill(0, 3 * 1024 * 1024, 7 * 1024 * 1024);
    await writeFile(disk, emptied);
    await applyImage(join(folder, 'two.ndz'), disk, { slice: 2 });
    expect(Buffer.compare(await readFile(disk), before)).toBe(0);
  });
});

// needs root and loop devices
describe.skipIf(!hasLoop)('a block device', () => {
  const old = (sizeBytes: number): Buffer => Buffer.alloc(sizeBytes, 'old');
  const contentOf = (device: string, sizeBytes: number): Buffer =>
    execFileSync('dd', [`if=${device}`, 'bs=1M', 'status=none'], { maxBuffer: 2 * sizeBytes });

  test('keeps what lies in free space and beyond, or is zeroed to its end', async () => {
    const { image } = await imageFile(fixture('ext4'));
    const sizeBytes = 20 * 1024 * 1024;
    const { writtenSha256, writtenBytes } = expectedOf('ext4');
    const device = await loopDevice(old(sizeBytes));
    await applyImage(image, device);
    const disk = contentOf(device, sizeBytes);
    const gap = [6524 * 512, 18_434 * 512] as const;
    expect(Buffer.compare(disk.subarray(...gap), old(sizeBytes).subarray(...gap))).toBe(0);
    expect(Buffer.compare(disk.subarray(writtenBytes), old(sizeBytes).subarray(writtenBytes))).toBe(0);
    expect(
      sha256(
        Buffer.from(disk)
          .fill(0, ...gap)
          .subarray(0, writtenBytes),
      ),
    ).toBe(writtenSha256);
    expect(await applyImage(image, device, { zeroFill: true })).toMatchObject({ effectiveBytes: sizeBytes, actualBytes: sizeBytes });
    const zeroed = contentOf(device, sizeBytes);
    expect(sha256(zeroed.subarray(0, writtenBytes))).toBe(writtenSha256);
    expect(zeroed.subarray(writtenBytes).every((byte) => byte === 0)).toBe(true);
  });

  test('that is too small is refused before the first write; one that only free space misses gets a note', async () => {
    const { folder, image } = await imageFile(fixture('gpt'));
    const sizeBytes = 10 * 1024 * 1024;
    const device = await loopDevice(old(sizeBytes));
    await expect(applyImage(image, device)).rejects.toThrow(failure('disk-too-small', 'has 10485760 bytes, the image needs 18874368'));
    expect(Buffer.compare(contentOf(device, sizeBytes), old(sizeBytes))).toBe(0);
    await writeFile(join(folder, 'y.ndz'), fixture('ext4'));
    expect((await applyImage(join(folder, 'y.ndz'), device)).notes).toEqual([
      expect.stringContaining('the imaged disk had 16777216 bytes, the target has 10485760'),
    ]);
  });

  test('gets a partition, by its own table', async () => {
    const { image } = await imageFile(Buffer.concat([chunkOf(headerOf(), Buffer.alloc(4096, 'new'))]));
    const device = await loopDevice(partitioned());
    await applyImage(image, device, { slice: 2 });
    const wanted = partitioned();
    wanted.fill('new', 3 * 1024 * 1024, 3 * 1024 * 1024 + 4096);
    expect(Buffer.compare(contentOf(device, wanted.byteLength), wanted)).toBe(0);
  });

  test('that is mounted is refused when asked to', async () => {
    const { folder, image } = await imageFile(fixture('ext4'));
    const raw = join(folder, 'fs');
    await writeFile(raw, '');
    await truncate(raw, 16 * 1024 * 1024);
    execFileSync('mke2fs', ['-q', '-F', raw], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    const device = await loopDevice(await readFile(raw));
    const point = join(folder, 'mounted');
    await mkdir(point);
    execFileSync('mount', [device, point]);
    onTestFinished(() => void execFileSync('umount', [point]));
    await expect(applyImage(image, device, { exclusive: true })).rejects.toThrow(failure('disk-busy', `${device} is in use`));
  });

  test('in a file, of which one partition is mounted, gets another, not that one', async () => {
    const { folder, image } = await imageFile(Buffer.concat([chunkOf(headerOf(), Buffer.alloc(4096, 'new'))]));
    const disk = partitioned();
    await writeFile(join(folder, 'fs'), Buffer.alloc(2 * 1024 * 1024));
    execFileSync('mke2fs', ['-q', '-F', join(folder, 'fs')], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    disk.set(await readFile(join(folder, 'fs')), 1024 * 1024);
    const { device, file } = await loopOf(disk, ['-o', '1048576', '--sizelimit', '2097152']);
    const point = join(folder, 'mounted');
    await mkdir(point);
    execFileSync('mount', [device, point]);
    onTestFinished(() => void execFileSync('umount', [point]));
    await expect(applyImage(image, file, { slice: 1, exclusive: true })).rejects.toThrow(failure('disk-busy', `is mounted on ${point}`));
    await applyImage(image, file, { slice: 2, exclusive: true });
    expect((await readFile(file)).toString('latin1', 3 * 1024 * 1024, 3 * 1024 * 1024 + 6)).toBe('newnew');
  });
});

test('every chunk of an image is applied once, whatever their number and the threads', async () => {
  const { image, disk } = await imageFile(Buffer.alloc(0));
  const count = 70;
  const chunks = Array.from({ length: count }, (_, index) =>
    chunkOf(
      headerOf({ index, firstSector: index * 8, lastSector: index * 8 + 8, regions: [{ startSector: index * 8, sectorCount: 8 }] }),
      Buffer.alloc(4096, `chunk ${index} `),
    ),
  );
  await writeFile(image, Buffer.concat(chunks));
  const wanted = Buffer.concat(Array.from({ length: count }, (_, index) => Buffer.alloc(4096, `chunk ${index} `)));
  for (const workers of [1, 3]) {
    const seen: number[] = [];
    await applyImage(image, disk, { workers, onProgress: ({ doneChunks }) => void seen.push(doneChunks) });
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(Buffer.compare(await readFile(disk), wanted)).toBe(0);
  }
  const pieces = Readable.from(chunksOf(await readFile(image)).flatMap((chunk) => [chunk.subarray(0, 1000), chunk.subarray(1000)]));
  await applyImage(pieces, disk, { workers: 2 });
  expect(Buffer.compare(await readFile(disk), wanted)).toBe(0);
});

test('from a pipe that has gone silent, ends when the disk fails', async () => {
  const silent = new PassThrough();
  silent.write(fixture('frag-ext2-F0').subarray(0, CHUNK_BYTES));
  await expect(applyImage(silent, '/dev/full')).rejects.toThrow(failure('disk-write-failed', 'ENOSPC'));
});
