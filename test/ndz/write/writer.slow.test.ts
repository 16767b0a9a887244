import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstat, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeChunkHeader, MAX_REGIONS, MAX_STREAM_BYTES, type ChunkHeader } from '../../../src/ndz/codec/format.js';
import { verifyImage } from '../../../src/ndz/check/verify.js';
import { openDiskSink } from '../../../src/ndz/apply/disk-sink.js';
import { streamSource, type ImageSource } from '../../../src/disk/source.js';
import { writeImage, type WriteOptions } from '../../../src/ndz/write/writer.js';
import { chunksOf, descriptorsOf, temporaryFolder, UUID } from '../../helpers/images.js';

const memorySource = (bytes: Uint8Array, claimedBytes = bytes.byteLength): ImageSource => ({
  name: 'memory',
  sizeBytes: claimedBytes,
  read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  close: () => Promise.resolve(),
});

async function restore(imagePath: string): Promise<Buffer> {
  const path = `${imagePath}.restored`;
  const sink = await openDiskSink(path);
  for (const chunk of chunksOf(await readFile(imagePath))) await sink.write(chunk);
  await sink.finish();
  const disk = await readFile(path);
  await rm(path);
  return disk;
}

const headersOf = async (path: string): Promise<ChunkHeader[]> =>
  chunksOf(await readFile(path)).map((chunk, i) => decodeChunkHeader(chunk, i));
const image = async (): Promise<string> => join(await temporaryFolder(), 'image.ndz');
const failure = (code: string, words: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(words) as unknown });

/** Text, zeros and random bytes in turn: 3.5 MiB, three chunks. */
let mixed: Buffer;
beforeAll(() => {
  const text = Buffer.from(Array.from({ length: 30_000 }, (_, i) => `line ${i} of a text that compresses\n`).join(''));
  mixed = Buffer.concat([
    text.subarray(0, 1_000_000),
    Buffer.alloc(300_000),
    randomBytes(2_300_000),
    Buffer.alloc(40_000),
    text.subarray(0, 12_345),
  ]);
});

describe('whatever the disk', () => {
  const part = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 3000 }),
    fc.integer({ min: 1, max: 200_000 }).map((length) => new Uint8Array(length)),
    fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
  );
  const options = fc.record({
    level: fc.integer({ min: 0, max: 9 }),
    skipHoles: fc.boolean(),
    identity: fc.constantFrom<WriteOptions>({ version: 3 }, { version: 4 }, { version: 4, checksum: true }, { uuid: UUID }),
  });

  test('it comes back byte for byte', async () => {
    const path = await image();
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 12 }), options, async (parts, { level, skipHoles, identity }) => {
        const disk = Buffer.concat(parts);
        const result = await writeImage(memorySource(disk), path, { level, skipHoles, ...identity });
        const info = await verifyImage(path);
        expect(info).toMatchObject({
          diskBytes: disk.byteLength,
          version: result.version,
          uuid: result.uuid,
          checksums: identity.checksum ?? false,
        });
        expect(result).toMatchObject({ diskBytes: disk.byteLength, sizeBytes: info.sizeBytes, chunkCount: info.chunkCount });
        expect(Buffer.compare(await restore(path), disk)).toBe(0);
      }),
      { numRuns: 25 },
    );
  });
});

describe('chunks', () => {
  test('are filled, numbered, and go on where the one before ended', async () => {
    const path = await image();
    const progress: number[] = [];
    await writeImage(memorySource(mixed), path, { onProgress: ({ chunkCount }) => void progress.push(chunkCount) });
    const headers = await headersOf(path);
    expect(headers.length).toBe(3);
    expect(progress).toEqual(headers.map((_, i) => i + 1));
    for (const header of headers.slice(0, -1)) expect(header.sizeBytes).toBeGreaterThan(MAX_STREAM_BYTES - 8192);
    expect(headers.map(({ firstSector }) => firstSector)).toEqual([0, ...headers.slice(0, -1).map(({ lastSector }) => lastSector)]);
    expect(headers.at(-1)).toMatchObject({ lastSector: Math.ceil(mixed.byteLength / 512) });
    expect(headers.at(-1)?.relocations).toEqual([
      { type: 6, sector: Math.floor(mixed.byteLength / 512), offsetBytes: 0, sizeBytes: mixed.byteLength % 512 },
    ]);
    expect(Buffer.compare(await restore(path), mixed)).toBe(0);
  });

  test('hold no more regions than a header has room for', async () => {
    const path = await image();
    const disk = randomBytes(2000 * 1024);
    const ranges = Array.from({ length: 1999 }, (_, i) => ({ startSector: 2 * i + 1, endSector: 2 * i + 2 }));
    await writeImage(memorySource(disk), path, { ranges, version: 3 });
    const headers = await headersOf(path);
    expect(headers.map(({ regions }) => regions.length).reduce((a, b) => a + b)).toBe(1999);
    expect(Math.max(...headers.map(({ regions }) => regions.length))).toBeLessThanOrEqual(MAX_REGIONS);
    expect(headers.length).toBe(5);
    // a gap between chunks belongs to the chunk before it, the first and last gaps to the first and last chunk
    expect(headers[0]?.firstSector).toBe(0);
    expect(headers.slice(1).every(({ firstSector, regions }) => firstSector === regions[0]?.startSector)).toBe(true);
    expect(headers.at(-1)?.lastSector).toBe(4000);
    await verifyImage(path);
    const wanted = Buffer.from(disk);
    for (let sector = 0; sector < 4000; sector++) if (sector % 2 === 0 || sector > 3997) wanted.fill(0, sector * 512, sector * 512 + 512);
    expect(Buffer.compare(await restore(path), wanted)).toBe(0);
  });

  test('take a disk of zeros a thousandfold', async () => {
    const path = await image();
    const disk = Buffer.alloc(100 * 1024 * 1024);
    expect(await writeImage(memorySource(disk), path)).toMatchObject({ chunkCount: 1, dataBytes: disk.byteLength });
    expect(Buffer.compare(await restore(path), disk)).toBe(0);
  });

  test('do not overflow with bytes that do not compress, at any level', async () => {
    const disk = randomBytes(2_500_000);
    for (const level of [0, 1, 6, 9]) {
      const path = await image();
      expect(await writeImage(memorySource(disk), path, { level })).toMatchObject({ chunkCount: 3 });
      expect(Buffer.compare(await restore(path), disk)).toBe(0);
    }
  });
});

describe('holes', () => {
  const kib = 1024;
  const disk = Buffer.concat([
    Buffer.alloc(100 * kib),
    Buffer.alloc(10 * kib, 1),
    Buffer.alloc(31 * kib),
    Buffer.alloc(512, 2),
    Buffer.alloc(32 * kib),
    Buffer.alloc(512, 3),
    Buffer.alloc(3000 * kib),
  ]);

  test('are kept unless asked otherwise', async () => {
    const path = await image();
    await writeImage(memorySource(disk), path);
    expect((await headersOf(path))[0]?.regions).toEqual([{ startSector: 0, sectorCount: disk.byteLength / 512 }]);
  });

  test('of 32 KiB and more are left out', async () => {
    const path = await image();
    const { dataBytes } = await writeImage(memorySource(disk), path, { skipHoles: true });
    const [header] = await headersOf(path);
    expect(header?.regions).toEqual([
      { startSector: 200, sectorCount: 20 + 62 + 1 },
      { startSector: 200 + 83 + 64, sectorCount: 1 },
    ]);
    expect(header).toMatchObject({ firstSector: 0, lastSector: disk.byteLength / 512 });
    expect(dataBytes).toBe(84 * 512);
    expect(Buffer.compare(await restore(path), disk)).toBe(0);
  });

  test('all over the disk still make an image', async () => {
    const path = await image();
    await writeImage(memorySource(Buffer.alloc(1_000_001)), path, { skipHoles: true });
    expect((await restore(path)).byteLength).toBe(1_000_001);
  });
});

describe('what the image is called', () => {
  test('is up to the caller', async () => {
    const path = await image();
    await writeImage(memorySource(mixed), path, { uuid: '00010203-0405-0607-0809-0A0B0C0D0E0F' });
    expect((await headersOf(path)).every((header) => header.version === 4 && header.uuid === UUID)).toBe(true);
    const { uuid } = await writeImage(memorySource(mixed), path);
    expect(uuid).not.toBe((await writeImage(memorySource(mixed), path)).uuid);
    await writeImage(memorySource(mixed), path, { version: 3 });
    expect((await headersOf(path)).every((header) => header.version === 3 && header.uuid === null)).toBe(true);
  });

  test.each([[{ uuid: 'xyz' }], [{ version: 3, uuid: UUID }], [{ version: 3, checksum: true }]] as const)('but not %o', async (options) => {
    await expect(writeImage(memorySource(mixed), await image(), options)).rejects.toThrow(TypeError);
  });
});

describe('an output file', () => {
  test('appears only when complete, and takes the place of an older one', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'image.ndz');
    await writeFile(path, 'older');
    let during = '';
    await writeImage(memorySource(mixed), path, { onProgress: () => void (during ||= execFileSync('cat', [path], { encoding: 'utf8' })) });
    expect(during).toBe('older');
    await verifyImage(path);
    expect(await readdir(folder)).toEqual(['image.ndz']);
    expect(await descriptorsOf(folder)).toBe(0);
  });

  test('is left as it was, with nothing beside it, when the work is stopped or fails', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'image.ndz');
    await writeFile(path, 'older');
    const controller = new AbortController();
    const reason = new Error('enough');
    await expect(
      writeImage(memorySource(mixed), path, { signal: controller.signal, onProgress: () => controller.abort(reason) }),
    ).rejects.toBe(reason);
    await expect(writeImage(memorySource(mixed, mixed.byteLength + 5000), path)).rejects.toThrow(
      failure('source-read-failed', `memory ends at byte ${mixed.byteLength}, it had ${mixed.byteLength + 5000}`),
    );
    const broken: ImageSource = {
      ...memorySource(mixed),
      read: (offset, length) =>
        offset > 2_000_000 ? Promise.reject(new Error('EIO')) : Promise.resolve(mixed.subarray(offset, offset + length)),
    };
    await expect(writeImage(broken, path)).rejects.toThrow('EIO');
    expect(await readdir(folder)).toEqual(['image.ndz']);
    expect(await readFile(path, 'utf8')).toBe('older');
    expect(await descriptorsOf(folder)).toBe(0);
  });

  test('behind a symbolic link is the one that is replaced', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'real.ndz'), '');
    await symlink('real.ndz', join(folder, 'alias.ndz'));
    await writeImage(memorySource(mixed), join(folder, 'alias.ndz'));
    expect((await lstat(join(folder, 'alias.ndz'))).isSymbolicLink()).toBe(true);
    await verifyImage(join(folder, 'real.ndz'));
  });

  test('that cannot be written is named', async () => {
    await expect(writeImage(memorySource(mixed), '/dev/full')).rejects.toThrow(failure('image-write-failed', 'writing /dev/full: ENOSPC'));
    const folder = await temporaryFolder();
    await expect(writeImage(memorySource(mixed), join(folder, 'none', 'x'))).rejects.toThrow(
      failure('image-write-failed', 'none/x: ENOENT'),
    );
    await expect(writeImage(memorySource(mixed), folder)).rejects.toThrow(failure('image-write-failed', 'it is a folder'));
  });
});

describe('a stream', () => {
  test("gets the same image, at the reader's pace, and is left open", async () => {
    const path = await image();
    await writeImage(memorySource(mixed), path, { uuid: UUID });
    const parts: Buffer[] = [];
    let waiting = 0;
    const slow = new Writable({
      highWaterMark: 1,
      write(part: Buffer, _, done) {
        expect(++waiting).toBe(1);
        parts.push(Buffer.from(part));
        setImmediate(() => {
          waiting--;
          done();
        });
      },
    });
    await writeImage(memorySource(mixed), slow, { uuid: UUID });
    expect(slow.writable).toBe(true);
    expect(Buffer.compare(Buffer.concat(parts), await readFile(path))).toBe(0);
  });

  test('whose reader goes away, or never reads, does not hold the work up', async () => {
    const gone = new PassThrough();
    gone.once('data', () => gone.destroy());
    await expect(writeImage(memorySource(mixed), gone)).rejects.toThrow(failure('image-write-failed', 'writing the image'));
    const stuck = new Writable({ write: () => undefined });
    const controller = new AbortController();
    const reason = new Error('enough');
    const writing = writeImage(memorySource(mixed), stuck, { signal: controller.signal, onProgress: () => controller.abort(reason) });
    await expect(writing).rejects.toBe(reason);
  });
});

describe('a disk', () => {
  test('that comes through a pipe is saved up to its end', async () => {
    const path = await image();
    const pieces = Readable.from(
      Array.from({ length: Math.ceil(mixed.byteLength / 7777) }, (_, i) => mixed.subarray(i * 7777, (i + 1) * 7777)),
    );
    expect(await writeImage(streamSource(pieces, 'pipe'), path)).toMatchObject({ diskBytes: mixed.byteLength });
    expect(Buffer.compare(await restore(path), mixed)).toBe(0);
  });

  test('that is empty, missing or too large is refused', async () => {
    const folder = await temporaryFolder();
    const empty = join(folder, 'empty');
    await writeFile(empty, '');
    const output = join(folder, 'x.ndz');
    await expect(writeImage(empty, output)).rejects.toThrow(failure('source-empty', empty));
    await expect(writeImage(streamSource(Readable.from([]), 'pipe'), output)).rejects.toThrow(failure('source-empty', 'pipe'));
    await expect(writeImage(join(folder, 'none'), output)).rejects.toThrow(failure('source-read-failed', 'ENOENT'));
    await expect(writeImage(folder, output)).rejects.toThrow(failure('source-read-failed', 'it is a folder'));
    await expect(writeImage({ ...memorySource(mixed), sizeBytes: 2 ** 41 }, output)).rejects.toThrow(failure('source-too-large', '2 TiB'));
    expect(await readdir(folder)).toEqual(['empty']);
    expect(await descriptorsOf(folder)).toBe(0);
  });

  test('is read once, in constant memory', async () => {
    const folder = await temporaryFolder();
    const raw = join(folder, 'raw');
    await writeFile(raw, mixed);
    await truncate(raw, 160 * 1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    await writeImage(raw, join(folder, 'x.ndz'), {
      level: 1,
      onProgress: () => void (peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)),
    });
    expect(peak).toBeLessThan(64 * 1024 * 1024);
    expect(await descriptorsOf(folder)).toBe(0);
  });
});

// the path of a real imageunzip, where there is one: IMAGEUNZIP=/usr/local/bin/imageunzip
describe.skipIf(!process.env.IMAGEUNZIP)('the real imageunzip', () => {
  test.each([
    ['version 3', { version: 3 }],
    ['checksums', { checksum: true }],
    ['holes left out', { skipHoles: true }],
  ] as const)('restores it: %s', async (_, options) => {
    const folder = await temporaryFolder();
    await writeImage(memorySource(mixed), join(folder, 'x.ndz'), options);
    execFileSync(process.env.IMAGEUNZIP ?? '', ['-z', join(folder, 'x.ndz'), join(folder, 'disk')]);
    expect(Buffer.compare(await readFile(join(folder, 'disk')), mixed)).toBe(0);
  });
});
