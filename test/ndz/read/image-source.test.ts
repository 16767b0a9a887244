import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyImage } from '../../../src/ndz/apply/apply.js';
import { endOfImage, inspectImage } from '../../../src/ndz/read/inspect.js';
import { CHUNK_BYTES, HEADER_BYTES } from '../../../src/ndz/codec/format.js';
import { ImageReader, openImageSource, openIndexed, type Segment } from '../../../src/ndz/read/image-source.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { chunkOf, descriptorsOf, expectedOf, fixture, fixtureNames, headerOf, temporaryFolder } from '../../helpers/images.js';

test.each(fixtureNames)('%s reads as the disk that a restore makes', async (name) => {
  const folder = await temporaryFolder();
  const image = join(folder, 'x.ndz');
  await writeFile(image, fixture(name));
  await applyImage(image, join(folder, 'disk'));
  const disk = await readFile(join(folder, 'disk'));
  const { source, info } = await openImageSource(image);
  expect(info.diskBytes).toBe(expectedOf(name).diskBytes);
  await fc.assert(
    fc.asyncProperty(fc.nat(disk.byteLength + 5000), fc.integer({ min: 0, max: 3_000_000 }), async (offset, length) => {
      const seen = await source.read(offset, length);
      const wanted = Buffer.alloc(Math.max(0, Math.min(length, (source.sizeBytes ?? 0) - offset)));
      wanted.set(disk.subarray(offset, offset + wanted.byteLength));
      expect(Buffer.compare(seen, wanted)).toBe(0);
    }),
    { numRuns: 25 },
  );
  await source.close();
  expect(await descriptorsOf(image)).toBe(0);
});

test('tells data and what is left out, in order and without gaps', async () => {
  const image = join(await temporaryFolder(), 'x.ndz');
  await writeFile(image, fixture('frag-ext2-F0'));
  const { fd, index, info, close } = await openIndexed(image);
  const sectors = info.diskBytes / 512;
  const reader = new ImageReader(fd, image, index);
  for (const [from, to] of [
    [0, sectors],
    [5, 6],
    [10_000, 30_000],
    [sectors - 3, sectors],
  ] as const) {
    const segments: Segment[] = [];
    for await (const segment of reader.segments(from, to)) segments.push(segment);
    let at = from;
    for (const { startSector, sectorCount, bytes } of segments) {
      expect(startSector).toBe(at);
      expect(sectorCount).toBeGreaterThan(0);
      if (bytes) expect(bytes.byteLength).toBe(sectorCount * 512);
      at += sectorCount;
    }
    expect(at).toBe(to);
  }
  await close();
});

test('reads to and fro in chunks that inflate to more than memory should hold', async () => {
  const image = join(await temporaryFolder(), 'x.ndz');
  const count = (80 * 1024 * 1024) / 512;
  const data = Buffer.alloc(count * 512);
  for (let at = 0; at < data.byteLength; at += 4096) data.writeUInt32LE(at, at);
  await writeFile(image, chunkOf(headerOf({ lastSector: count, regions: [{ startSector: 0, sectorCount: count }] }), data));
  const { source } = await openImageSource(image);
  for (const offset of [0, 70_000_000, 70_000_100, 10_000_000, 83_000_000, 5]) {
    expect(Buffer.compare(await source.read(offset, 100_000), data.subarray(offset, offset + 100_000))).toBe(0);
  }
  await source.close();
});

test('fails on damage where it is read, and only there', async () => {
  const folder = await temporaryFolder();
  const image = join(folder, 'x.ndz');
  await writeFile(join(folder, 'raw'), randomBytes(3_000_000));
  await writeImage(join(folder, 'raw'), image);
  const bytes = await readFile(image);
  bytes.fill(0xff, CHUNK_BYTES + HEADER_BYTES + 5000, CHUNK_BYTES + HEADER_BYTES + 5010);
  await writeFile(image, bytes);
  const { source } = await openImageSource(image);
  await source.read(0, 100_000);
  await expect(source.read(1_200_000, 1000)).rejects.toThrow(expect.objectContaining({ code: 'ndz-bad-stream' }));
  await source.read(2_900_000, 1000);
  await source.close();
});

test('an image of another program whose last chunks are gone is told by a full last chunk and its partition table', async () => {
  const image = join(await temporaryFolder(), 'x.ndz');
  for (const name of ['ext4', 'gpt', 'ext2-swap', 'frag-ext2-F0', 'ext4-v3', 'ext4-v1', 'raw3m', 'file-odd']) {
    await writeFile(image, fixture(name));
    expect(await endOfImage(await inspectImage(image)), name).toMatchObject({ cut: null, note: null });
  }
  await writeFile(image, fixture('frag-ext2-F0').subarray(0, 2 * CHUNK_BYTES));
  expect((await endOfImage(await inspectImage(image))).cut).toMatch(
    /speaks of 63488 sectors, and it ends at sector 26252: its last chunks are missing/,
  );
});
