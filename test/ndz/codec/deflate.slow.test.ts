import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ADLER_START, adler32, joinAdler } from '../../../src/ndz/codec/adler.js';
import { buildChunks, type BuiltChunk } from '../../../src/ndz/write/chunk-builder.js';
import { FULL_BYTES } from '../../../src/ndz/codec/deflate-units.js';
import { HEADER_BYTES, inflatedBytes, decodeChunkHeader, MAX_STREAM_BYTES, MAX_REGIONS } from '../../../src/ndz/codec/format.js';
import type { SectorRange } from '../../../src/disk/sector.js';
import { SectorReader } from '../../../src/disk/sector-reader.js';
import type { ImageSource } from '../../../src/disk/source.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { chunksOf, descriptorsOf, temporaryFolder, UUID } from '../../helpers/images.js';

const memorySource = (bytes: Uint8Array): ImageSource => ({
  name: 'memory',
  sizeBytes: bytes.byteLength,
  read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  close: () => Promise.resolve(),
});

async function build(
  bytes: Uint8Array,
  {
    level = 4,
    workers = 2,
    ranges = [{ startSector: 0, endSector: Math.ceil(bytes.byteLength / 512) }],
  }: { level?: number; workers?: number; ranges?: SectorRange[] } = {},
): Promise<BuiltChunk[]> {
  const reader = new SectorReader(memorySource(bytes), ranges);
  const chunks: BuiltChunk[] = [];
  for await (const chunk of buildChunks(reader, { level, workers })) chunks.push(chunk);
  await reader.close();
  return chunks;
}

/** What zlib itself makes of a chunk's stream, which must fill its regions. */
const dataOf = ({ bytes, streamBytes, regions }: BuiltChunk): Buffer => {
  const data = inflateSync(bytes.subarray(HEADER_BYTES, HEADER_BYTES + streamBytes));
  expect(data.byteLength).toBe(regions.reduce((sum, { sectorCount }) => sum + sectorCount, 0) * 512);
  return data;
};

/** Text, zeros and noise: 12 MB. */
let mixed: Buffer;
beforeAll(() => {
  const text = Buffer.from(
    Array.from({ length: 75_000 }, (_, i) => `line ${i} ${(i * 2_654_435_761) % 4_294_967_296} of a text that compresses\n`).join(''),
  );
  mixed = Buffer.concat([
    text.subarray(0, 3_000_000),
    Buffer.alloc(2_000_000),
    randomBytes(2_500_000),
    text.subarray(500_000, 3_000_000),
    Buffer.alloc(634_567, 'abc'),
    randomBytes(1_500_000),
  ]);
  mixed = mixed.subarray(0, Math.floor(mixed.byteLength / 512) * 512);
});

describe('Adler-32', () => {
  test("is zlib's", () => {
    const { byteLength } = deflateSync(mixed.subarray(0, 300_000));
    expect(adler32(mixed.subarray(0, 300_000))).toBe(deflateSync(mixed.subarray(0, 300_000)).readUInt32BE(byteLength - 4));
    expect(adler32(new Uint8Array(0))).toBe(ADLER_START);
  });

  test('of two parts joins to that of both', () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 200_000 }).map((length) => new Uint8Array(length).fill(255)),
    );
    fc.assert(
      fc.property(part, part, (a, b) => {
        expect(joinAdler(adler32(a), adler32(b), b.byteLength)).toBe(adler32(Buffer.concat([a, b])));
      }),
    );
  });
});

describe('chunks made by threads', () => {
  test.each([0, 1, 4, 9])('at level %i hold the data, whatever the number of threads', async (level) => {
    const alone = await build(mixed, { level, workers: 1 });
    const many = await build(mixed, { level, workers: 5 });
    expect(Buffer.compare(Buffer.concat(alone.map(dataOf)), mixed)).toBe(0);
    expect(many.length).toBe(alone.length);
    many.forEach((chunk, i) => expect(Buffer.compare(chunk.bytes, alone[i]?.bytes ?? Buffer.alloc(0))).toBe(0));
  });

  test('are full but for the last, so hardly more than one stream after the other would fill', async () => {
    const chunks = await build(mixed);
    for (const { streamBytes } of chunks.slice(0, -1)) {
      expect(streamBytes).toBeGreaterThan(MAX_STREAM_BYTES - FULL_BYTES);
      expect(streamBytes).toBeLessThanOrEqual(MAX_STREAM_BYTES);
    }
    const whole = deflateSync(mixed, { level: 4 }).byteLength;
    expect(chunks.reduce((sum, { streamBytes }) => sum + streamBytes, 0)).toBeLessThan(whole * 1.01);
  });

  test('say where the next begins, the last that there is none', async () => {
    const chunks = await build(mixed);
    chunks.forEach(({ nextSector }, i) => expect(nextSector).toBe(chunks[i + 1]?.regions[0]?.startSector ?? null));
  });

  test('are whole at any size around a unit, a job, a window', async () => {
    for (const size of [512, 65_536 - 512, 65_536, 65_536 + 512, 524_288 - 512, 524_288, 524_288 + 512, 524_288 + 32_768, 1_048_576]) {
      const chunks = await build(mixed.subarray(0, size));
      expect(Buffer.compare(Buffer.concat(chunks.map(dataOf)), mixed.subarray(0, size))).toBe(0);
    }
  });

  test("end right at the data's end, wherever a chunk happens to be full", async () => {
    const noise = randomBytes(2_200_064);
    for (let size = 1_030_144; size < 1_180_000; size += 512 * 41) {
      const chunks = await build(noise.subarray(0, size), { level: 1 });
      expect(Buffer.compare(Buffer.concat(chunks.map(dataOf)), noise.subarray(0, size))).toBe(0);
      expect(chunks.length).toBeLessThanOrEqual(2);
      expect(chunks.every(({ regions }) => regions.length > 0)).toBe(true);
    }
  });

  test('hold fragments, as many as a header has room for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 1500 }),
        async (steps) => {
          let sector = 0;
          const ranges = steps.map(([gap, count]) => ({ startSector: (sector += gap), endSector: (sector += count) }));
          const disk = mixed.subarray(0, Math.min(mixed.byteLength, sector * 512));
          const inside = ranges.filter(({ endSector }) => endSector * 512 <= disk.byteLength);
          if (inside.length === 0) return;
          const chunks = await build(disk, { ranges: inside, level: 1 });
          const wanted = Buffer.concat(inside.map(({ startSector, endSector }) => disk.subarray(startSector * 512, endSector * 512)));
          expect(Buffer.compare(Buffer.concat(chunks.map(dataOf)), wanted)).toBe(0);
          expect(
            chunks
              .flatMap(({ regions }) => regions)
              .map(({ startSector, sectorCount }) => ({ startSector, endSector: startSector + sectorCount })),
          ).toEqual(inside);
          for (const { regions } of chunks) expect(regions.length).toBeLessThanOrEqual(MAX_REGIONS - 4);
          expect(chunks.length).toBe(Math.ceil(inside.length / (MAX_REGIONS - 4)));
        },
      ),
      { numRuns: 8 },
    );
  });

  test('of zeros are few', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'raw'), '');
    await truncate(join(folder, 'raw'), 160 * 1024 * 1024);
    expect(await writeImage(join(folder, 'raw'), join(folder, 'x.ndz'))).toMatchObject({ dataBytes: 160 * 1024 * 1024, chunkCount: 1 });
  });
});

describe('an image on its way', () => {
  test("takes a bounded amount of memory, whatever the disk's size and the reader's pace", async () => {
    const noise = randomBytes(1024 * 1024);
    const source: ImageSource = {
      name: 'noise',
      sizeBytes: 200 * 1024 * 1024,
      read: (_, length) => Promise.resolve(noise.subarray(0, length)),
      close: () => Promise.resolve(),
    };
    let peak = 0;
    const start = process.memoryUsage().rss;
    const slow = new Writable({
      write: (_, __, done) => {
        peak = Math.max(peak, process.memoryUsage().rss - start);
        setImmediate(done);
      },
    });
    await writeImage(source, slow, { level: 0, workers: 4 });
    expect(peak).toBeLessThan(200 * 1024 * 1024);
  });

  test('is the same through a pipe, whose end nobody knows', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'raw'), mixed);
    const { streamSource } = await import('../../../src/disk/source.js');
    await writeImage(join(folder, 'raw'), join(folder, 'a.ndz'), { uuid: UUID });
    await writeImage(streamSource(createReadStream(join(folder, 'raw')), 'pipe'), join(folder, 'b.ndz'), { uuid: UUID, workers: 3 });
    expect(Buffer.compare(await readFile(join(folder, 'a.ndz')), await readFile(join(folder, 'b.ndz')))).toBe(0);
    const headers = chunksOf(await readFile(join(folder, 'a.ndz'))).map((chunk, i) => decodeChunkHeader(chunk, i));
    expect(headers.reduce((sum, header) => sum + inflatedBytes(header), 0)).toBe(mixed.byteLength);
  });

  test.each([
    ['at once', 0],
    ['in the middle', 5_000_000],
    ['near the end', 11_000_000],
  ])('whose disk fails %s leaves nothing', async (_, failsAt) => {
    const folder = await temporaryFolder();
    const source: ImageSource = {
      ...memorySource(mixed),
      read: (offset, length) =>
        offset + length > failsAt
          ? Promise.reject(new Error('EIO: a bad sector'))
          : Promise.resolve(mixed.subarray(offset, offset + length)),
    };
    await expect(writeImage(source, join(folder, 'x.ndz'))).rejects.toThrow('EIO: a bad sector');
    expect(await readdir(folder)).toEqual([]);
    expect(await descriptorsOf(folder)).toBe(0);
  });

  test('that is stopped while threads compress leaves nothing, and no thread', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    const reason = new Error('enough');
    const before = process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    let reads = 0;
    const source: ImageSource = {
      ...memorySource(mixed),
      read: (offset, length) => {
        if (++reads === 9) controller.abort(reason);
        return Promise.resolve(mixed.subarray(offset, offset + length));
      },
    };
    await expect(writeImage(source, join(folder, 'x.ndz'), { level: 9, signal: controller.signal })).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length).toBe(before);
  });
});
