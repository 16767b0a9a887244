import { pbkdf2, randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openDiskSink, openRawSink } from '../../../src/ndz/apply/disk-sink.js';
import { InflateMemories } from '../../../src/ndz/codec/inflate-memory.js';
import { CHUNK_BYTES } from '../../../src/ndz/codec/format.js';
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
  UUID,
} from '../../helpers/images.js';

const target = async (): Promise<string> => join(await temporaryFolder(), 'disk.img');
const failure = (code: string, ...words: string[]): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(words.map((word) => `(?=.*${word})`).join('')) as unknown });
const region = (startSector: number, sectorCount: number, index = 0, firstSector = startSector): Parameters<typeof headerOf>[0] => ({
  index,
  firstSector,
  lastSector: startSector + sectorCount,
  regions: [{ startSector, sectorCount }],
});

describe.each(fixtureNames)('%s', (name) => {
  const { writtenBytes, writtenSha256, diskBytes, ...numbers } = expectedOf(name);
  const { effectiveBytes, actualBytes, inflatedBytes } = numbers;

  test.each([
    ['in order', false],
    ['backwards', true],
  ])("restored %s is what imageunzip writes, in a file of the disk's size", async (_, backwards) => {
    const path = await target();
    await writeFile(path, Buffer.alloc(1_000_000, 'old content'));
    const sink = await openDiskSink(path);
    const chunks = chunksOf(fixture(name));
    for (const chunk of backwards ? chunks.reverse() : chunks) await sink.write(chunk);
    expect(await sink.finish()).toMatchObject({ effectiveBytes, actualBytes, inflatedBytes, zeroBytes: 0 });
    const disk = await readFile(path);
    expect(disk.byteLength).toBe(diskBytes);
    expect(sha256(disk.subarray(0, writtenBytes))).toBe(writtenSha256);
    expect(disk.subarray(writtenBytes).every((byte) => byte === 0)).toBe(true);
    expect(await descriptorsOf(path)).toBe(0);
  });

  test('zero-filled, all it speaks for counts as written', async () => {
    const sink = await openDiskSink(await target(), { zeroFill: true });
    for (const chunk of chunksOf(fixture(name))) await sink.write(chunk);
    // as the 2015 imageunzip -z counts: a short last sector is the one thing not written
    const cut = name === 'file-odd' ? 512 - 369 : 0;
    expect(await sink.finish()).toMatchObject({
      effectiveBytes,
      actualBytes: effectiveBytes - cut,
      zeroBytes: effectiveBytes - cut - actualBytes,
    });
  });
});

test("lets the caller use the chunk's memory again", async () => {
  const path = await target();
  const sink = await openDiskSink(path);
  const memory = Buffer.alloc(1 << 20);
  for (const chunk of chunksOf(fixture('frag-ext2-F0'))) {
    memory.set(chunk);
    await sink.write(memory);
    memory.fill(0xee);
  }
  await sink.finish();
  expect(sha256((await readFile(path)).subarray(0, expectedOf('frag-ext2-F0').writtenBytes))).toBe(
    expectedOf('frag-ext2-F0').writtenSha256,
  );
});

test('restores a chunk of more than 32 MiB, regions across its pieces', async () => {
  const path = await target();
  const mark = (sector: number): Buffer => Buffer.alloc(512, `sector ${sector} `);
  const regions = [
    { startSector: 2, sectorCount: 3001 },
    { startSector: 5000, sectorCount: 70_000 },
    { startSector: 80_000, sectorCount: 1 },
  ];
  const data = Buffer.concat(
    regions.flatMap(({ startSector, sectorCount }) => Array.from({ length: sectorCount }, (_, i) => mark(startSector + i))),
  );
  const sink = await openDiskSink(path);
  await sink.write(chunkOf(headerOf({ firstSector: 0, lastSector: 90_000, regions }), data));
  expect(await sink.finish()).toMatchObject({ actualBytes: data.byteLength, effectiveBytes: 90_000 * 512 });
  const disk = await readFile(path);
  expect(disk.byteLength).toBe(90_000 * 512);
  const kept = (sector: number): boolean =>
    regions.some(({ startSector, sectorCount }) => sector >= startSector && sector < startSector + sectorCount);
  for (let sector = 0; sector < 90_000; sector++) {
    const seen = disk.subarray(sector * 512, sector * 512 + 512);
    if (Buffer.compare(seen, kept(sector) ? mark(sector) : Buffer.alloc(512)) !== 0) throw new Error(`sector ${sector} is wrong`);
  }
});

describe('chunks that cannot be of one image', () => {
  test.each([
    ['another uuid', headerOf({ ...region(8, 8, 1), uuid: UUID.replace('00', 'ff') }), 'ndz-uuid-mismatch', 'uuid ff010203'],
    [
      'another version',
      headerOf({ ...region(8, 8, 1), version: 3, uuid: null }),
      'ndz-uuid-mismatch',
      'version 3, the first chunk had version 4',
    ],
    ['the same again', headerOf(), 'ndz-duplicate-chunk', 'chunk 0 came twice'],
  ])('%s', async (_, second, code, words) => {
    const path = await target();
    const sink = await openDiskSink(path);
    await sink.write(chunkOf(headerOf()));
    await expect(sink.write(chunkOf(second))).rejects.toThrow(failure(code, words));
    await sink.abort();
    expect(await descriptorsOf(path)).toBe(0);
  });

  test('one is missing', async () => {
    const path = await target();
    const sink = await openDiskSink(path);
    for (const index of [0, 3]) await sink.write(chunkOf(headerOf(region(index * 8, 8, index))));
    await expect(sink.finish()).rejects.toThrow(failure('ndz-missing-chunk', 'chunk 1 and 1 more'));
    expect(await descriptorsOf(path)).toBe(0);
  });
});

describe('a target that fails', () => {
  test('is named with the place and the cause', async () => {
    const sink = await openDiskSink('/dev/full');
    await expect(
      (async () => {
        await sink.write(chunkOf(headerOf(region(16, 8)), Buffer.alloc(4096, 1)));
        await sink.finish();
      })(),
    ).rejects.toThrow(failure('disk-write-failed', '/dev/full', 'byte 8192', 'ENOSPC'));
    await sink.abort();
    expect(await descriptorsOf('/dev/full')).toBe(0);
  });

  test('stops later chunks', async () => {
    const sink = await openDiskSink('/dev/full');
    const many = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await sink.write(chunkOf(headerOf(region(i * 8, 8, i))));
    };
    await expect(many()).rejects.toThrow(failure('disk-write-failed', 'ENOSPC'));
    await sink.abort();
    await sink.abort();
    await expect(sink.write(chunkOf(headerOf(region(0, 8, 200))))).rejects.toThrow();
  });

  test('or cannot be opened', async () => {
    const folder = await temporaryFolder();
    await expect(openDiskSink(join(folder, 'none', 'disk'))).rejects.toThrow(failure('disk-open-failed', 'none/disk', 'ENOENT'));
    await expect(openDiskSink(folder)).rejects.toThrow(failure('disk-open-failed', 'EISDIR'));
  });
});

describe('abort', () => {
  test('rejects with the reason, and closing is left to abort()', async () => {
    const path = await target();
    const controller = new AbortController();
    const sink = await openDiskSink(path, { signal: controller.signal });
    await sink.write(chunkOf(headerOf()));
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(sink.write(chunkOf(headerOf(region(8, 8, 1))))).rejects.toBe(reason);
    await expect(sink.finish()).rejects.toBe(reason);
    await sink.abort();
    expect(await descriptorsOf(path)).toBe(0);
    await expect(openDiskSink(path, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('leaves what was written', async () => {
    const path = await target();
    const sink = await openDiskSink(path);
    await sink.write(chunkOf(headerOf(), Buffer.alloc(4096, 'x')));
    await sink.abort();
    expect((await stat(path)).size).toBe(4096);
    await expect(sink.finish()).rejects.toThrow();
  });
});

describe('a raw sink', () => {
  test('puts chunks where they belong, in any order, out of memory that is used again at once', async () => {
    const path = await target();
    const whole = randomBytes(4 * CHUNK_BYTES + 1500);
    const positions = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 });
    await fc.assert(
      fc.asyncProperty(positions, async (order) => {
        const sink = openRawSink(path);
        await sink.begin?.(whole.byteLength);
        const chunk = Buffer.alloc(CHUNK_BYTES);
        for (const position of order) {
          const bytes = whole.subarray(position * CHUNK_BYTES, (position + 1) * CHUNK_BYTES);
          chunk.set(bytes);
          await sink.write(chunk, position, bytes.byteLength);
          chunk.fill('memory that does not count');
        }
        expect(await sink.finish()).toMatchObject({ effectiveBytes: whole.byteLength, actualBytes: whole.byteLength });
        expect(Buffer.compare(await readFile(path), whole)).toBe(0);
      }),
      { numRuns: 20 },
    );
    expect(await descriptorsOf(path)).toBe(0);
  });

  test('gives the file its size even when chunks are missing, and fails as a disk does', async () => {
    const path = await target();
    const sink = openRawSink(path);
    await sink.begin?.(CHUNK_BYTES + 5000);
    await sink.write(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES);
    await sink.finish();
    expect((await stat(path)).size).toBe(CHUNK_BYTES + 5000);
    const full = openRawSink('/dev/full');
    await full.begin?.(CHUNK_BYTES + 5000);
    await full.write(Buffer.alloc(CHUNK_BYTES), 1, 5000);
    await expect(full.finish()).rejects.toThrow(failure('disk-write-failed', `byte ${CHUNK_BYTES}`));
  });
});

test('chunks that wait for the disk are not overwritten by those that follow', async () => {
  const path = await target();
  const memories = new InflateMemories();
  const sink = await openDiskSink(path, { memories });
  const contents = Array.from({ length: 9 }, (_, index) => Buffer.alloc(4096, index + 1));
  const put = (index: number): Promise<void> =>
    sink.write(chunkOf(headerOf(region(index * 8, 8, index)), contents[index] ?? Buffer.alloc(0)));
  await put(0);
  // whatever is written now comes after these: they take all threads that do I/O
  const busy = Array.from({ length: 4 }, () => promisify(pbkdf2)('', '', 100_000, 32, 'sha512'));
  for (let index = 1; index < contents.length; index++) await put(index);
  await Promise.all(busy);
  await sink.finish();
  expect(Buffer.compare(await readFile(path), Buffer.concat(contents))).toBe(0);
});
