import { createHash, randomBytes } from 'node:crypto';
import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createDigest, type DigestGroup } from '../../../src/disk/digest.js';
import { SECTOR_BYTES } from '../../../src/disk/sector.js';
import { ImageDigests, type ImageDigestsOptions } from '../../../src/ndz/check/image-digests.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { seededRandom } from '../../../src/util/random.js';
import { descriptorsOf, temporaryFolder } from '../../helpers/images.js';

const options = (more: Partial<ImageDigestsOptions> = {}): ImageDigestsOptions => ({
  mode: 'full',
  maxPieces: 14,
  random: seededRandom(7),
  signal: new AbortController().signal,
  ...more,
});

/** A disk of `mebibytes` and 123 bytes, of which two thirds are saved, in pieces; its last sector is a short one. */
async function saved(mebibytes: number): Promise<{ folder: string; image: string; content: Buffer }> {
  const folder = await temporaryFolder();
  const [image, disk, content] = [join(folder, 'x.ndz'), join(folder, 'disk'), randomBytes(mebibytes * 1024 * 1024 + 123)];
  await writeFile(disk, content);
  const sectors = Math.ceil(content.byteLength / SECTOR_BYTES);
  const ranges = Array.from({ length: Math.ceil(sectors / 900) }, (_, i) => ({
    startSector: i * 900,
    endSector: Math.min(sectors, i * 900 + 600),
  }));
  ranges.push({ startSector: sectors - 1, endSector: sectors });
  await writeImage(disk, image, {
    ranges: ranges.filter(({ startSector }, i) => startSector >= (ranges[i - 1]?.endSector ?? 0)),
    level: 1,
  });
  return { folder, image, content };
}

const sha1 = (content: Buffer, group: DigestGroup): string => {
  const hash = createHash('sha1');
  for (const { offset, sizeBytes } of group) hash.update(content.subarray(offset, offset + sizeBytes));
  return hash.digest('hex');
};

async function all(digests: ImageDigests): Promise<{ group: DigestGroup; digest: string }[]> {
  const found: { group: DigestGroup; digest: string }[] = [];
  for (let number = 0; number < digests.itemCount; number++) {
    const { groups, digests: each } = await digests.item(number, 'sha1');
    expect(each).toHaveLength(groups.length);
    found.push(...groups.map((group, index) => ({ group, digest: each[index] ?? '' })));
  }
  return found;
}

test('full: every byte that the image writes is in one digest, and each is that of the disk', async () => {
  const { folder, image, content } = await saved(5);
  const digests = await ImageDigests.open(image, options());
  const found = await all(digests);
  for (const { group, digest } of found) expect(digest).toBe(sha1(content, group));
  const sizeBytes = found.flatMap(({ group }) => group).reduce((sum, range) => sum + range.sizeBytes, 0);
  expect([sizeBytes, digests.checkedBytes]).toEqual([digests.imageBytes, digests.imageBytes]);
  const last = found.at(-1)?.group.at(-1);
  expect((last?.offset ?? 0) + (last?.sizeBytes ?? 0)).toBe(content.byteLength); // the short sector as far as it goes
  await digests.close();
  expect(await descriptorsOf(folder)).toBe(0);
});

test('a sample of little data is all of it; of much, the first region, the last and 64 more, the same for a seed', async () => {
  const small = await saved(4);
  const whole = await ImageDigests.open(small.image, options({ mode: 'sample' }));
  expect(whole.checkedBytes).toBe(whole.imageBytes);
  await whole.close();
  const { image, content } = await saved(40);
  const [one, same, other] = await Promise.all(
    [7, 7, 8].map((seed) => ImageDigests.open(image, options({ mode: 'sample', random: seededRandom(seed) }))),
  );
  if (!one || !same || !other) throw new Error('three were opened');
  const found = await all(one);
  for (const { group, digest } of found) expect(digest).toBe(sha1(content, group));
  expect(found.length).toBeGreaterThan(50); // fewer than 66 where two are the same place
  expect(found.length).toBeLessThanOrEqual(66);
  expect(found[0]?.group).toEqual([{ offset: 0, sizeBytes: 600 * SECTOR_BYTES }]);
  const last = found.at(-1)?.group[0];
  expect((last?.offset ?? 0) + (last?.sizeBytes ?? 0)).toBe(content.byteLength);
  expect(await all(same)).toEqual(found);
  expect(await all(other)).not.toEqual(found);
  await Promise.all([one, same, other].map((each) => each.close()));
});

test.each([17, 24])(
  'a sample of little more data (%i MB) reads no byte twice, and all of it when it would be no smaller',
  async (mebibytes) => {
    const { image } = await saved(mebibytes * 1.5); // two thirds are saved
    for (const seed of [1, 2, 3]) {
      const digests = await ImageDigests.open(image, options({ mode: 'sample', random: seededRandom(seed) }));
      const ranges = (await all(digests)).flatMap(({ group }) => group);
      for (const [i, { offset }] of ranges.entries())
        expect(offset).toBeGreaterThanOrEqual((ranges[i - 1]?.offset ?? 0) + (ranges[i - 1]?.sizeBytes ?? 0));
      expect(ranges.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(digests.checkedBytes);
      expect(digests.checkedBytes).toBeLessThanOrEqual(digests.imageBytes);
      await digests.close();
    }
  },
);

test('two large regions, of which a sample would read everything, are read whole', async () => {
  const folder = await temporaryFolder();
  const [image, disk] = [join(folder, 'x.ndz'), join(folder, 'disk')];
  await writeFile(disk, Buffer.alloc(20 * 1024 * 1024, 'one chunk'));
  await writeImage(disk, image, {
    ranges: [
      { startSector: 0, endSector: 20_000 },
      { startSector: 20_008, endSector: 40_960 },
    ],
    level: 1,
  });
  const digests = await ImageDigests.open(image, options({ mode: 'sample' }));
  expect([digests.checkedBytes, digests.itemCount]).toEqual([digests.imageBytes, 1]);
  await digests.close();
});

test('computes ahead, and other digests when asked', async () => {
  const { image, content } = await saved(3);
  const digests = await ImageDigests.open(image, options());
  await digests.prepare('sha1');
  const { groups, position } = await digests.item(1, 'sha1');
  const cksum = createDigest('cksum');
  for (const { offset, sizeBytes } of groups[0] ?? []) cksum.update(content.subarray(offset, offset + sizeBytes));
  expect((await digests.item(1, 'cksum')).digests[0]).toBe(cksum.finish());
  const [first] = groups[0] ?? [];
  if (!first) throw new Error('a group without ranges');
  const sector = [{ offset: first.offset + SECTOR_BYTES, sizeBytes: SECTOR_BYTES }];
  expect(await digests.digests(position, [sector], 'sha1')).toEqual([sha1(content, sector)]);
  await digests.close();
});

test('tells who asks that the image is damaged, and nobody else', async () => {
  const { image } = await saved(3);
  const bytes = await readFile(image);
  bytes.fill(0, 2 * 1_048_576 + 5_000, 2 * 1_048_576 + 6_000);
  await writeFile(image, bytes);
  const digests = await ImageDigests.open(image, options());
  await digests.prepare('sha1');
  await expect(digests.item(2, 'sha1')).rejects.toMatchObject({ code: expect.stringMatching(/^ndz-/) });
  expect((await digests.item(0, 'sha1')).digests).not.toHaveLength(0);
  const waiting = digests.digests(0, [[{ offset: 0, sizeBytes: 512 }]], 'sha1');
  await Promise.all([digests.close(), expect(waiting).rejects.toMatchObject({ code: 'worker-crashed' })]);
});
