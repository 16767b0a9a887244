import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { applyImage } from '../../../src/ndz/apply/apply.js';
import { CHUNK_BYTES } from '../../../src/ndz/codec/format.js';
import { verifyDisk } from '../../../src/ndz/check/verify.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { chunkOf, descriptorsOf, fixture, headerOf, temporaryFolder } from '../../helpers/images.js';
import { writeMbr } from '../../helpers/partition-tables.js';
import { hasLoop, loopOf } from '../../helpers/loop.js';

let made: { bytes: Buffer; content: Buffer } | undefined;

/** A disk of 20 MiB with 50 regions, and its image. */
async function saved(): Promise<{ folder: string; image: string; disk: string; content: Buffer }> {
  const folder = await temporaryFolder();
  const [image, disk] = [join(folder, 'x.ndz'), join(folder, 'disk')];
  if (!made) {
    const content = randomBytes(20 * 1024 * 1024);
    await writeFile(disk, content);
    await writeImage(disk, image, {
      level: 0,
      ranges: Array.from({ length: 50 }, (_, i) => ({ startSector: i * 800, endSector: i * 800 + 600 })),
    });
    made = { bytes: await readFile(image), content };
  }
  await writeFile(disk, made.content);
  await writeFile(image, made.bytes);
  return { folder, image, disk, content: Buffer.from(made.content) };
}

test('a disk that holds an image is found to', async () => {
  const { folder, image, disk, content } = await saved();
  const verdict = await verifyDisk(image, disk);
  expect(verdict).toMatchObject({ difference: null, comparedBytes: 50 * 600 * 512 });
  expect(verdict.checkedCount).toBe(verdict.regionCount);
  content.fill(0xee, 600 * 512, 800 * 512); // free space
  await writeFile(disk, content);
  expect((await verifyDisk(image, disk)).difference).toBeNull();
  expect(await descriptorsOf(folder)).toBe(0);
});

test.each([0, 511, 512, 300_000, 3 * 800 * 512 + 77_777, 49 * 800 * 512 + 600 * 512 - 1])(
  'a byte that differs at %i is found, and its region',
  async (at) => {
    const { image, disk, content } = await saved();
    content[at] = (content[at] ?? 0) ^ 0x10;
    content[content.byteLength - 200 * 512 - 5] = 0; // a later one is not what is told
    content[49 * 800 * 512 + 600 * 512 - 1] =
      (content[49 * 800 * 512 + 600 * 512 - 1] ?? 0) ^ (at === 49 * 800 * 512 + 600 * 512 - 1 ? 0 : 1);
    await writeFile(disk, content);
    const { difference } = await verifyDisk(image, disk, { workers: 3 });
    expect(difference?.offset).toBe(at);
    const sector = Math.floor(at / 512);
    expect(difference?.region.startSector).toBeLessThanOrEqual(sector);
    expect((difference?.region.startSector ?? 0) + (difference?.region.sectorCount ?? 0)).toBeGreaterThan(sector);
  },
);

test('a disk that is too short differs at its end', async () => {
  const { image, disk, content } = await saved();
  await writeFile(disk, content.subarray(0, 10 * 800 * 512 + 1000));
  expect((await verifyDisk(image, disk)).difference).toMatchObject({ offset: 10 * 800 * 512 + 1000 });
});

test('the end of a partition is its end, whatever follows on the disk', async () => {
  const { folder, image, content } = await saved();
  const disk = Buffer.alloc(21 * 1024 * 1024);
  disk.set(content, 1024 * 1024);
  const whole = content.byteLength / 512;
  const withPartition = async (sectors: number): Promise<string> => {
    writeMbr(disk, 0, [{ type: 0x83, start: 2048, count: sectors }]);
    await writeFile(join(folder, 'parted'), disk);
    return join(folder, 'parted');
  };
  expect((await verifyDisk(image, await withPartition(whole), { slice: 1 })).difference).toBeNull();
  expect((await verifyDisk(image, await withPartition(49 * 800 + 500), { slice: 1 })).difference?.offset).toBe((49 * 800 + 500) * 512);
});

test('an image that has lost its end cannot vouch for a disk', async () => {
  const { image, disk } = await saved();
  const whole = fixture('frag-ext2-F0');
  await writeFile(image, whole.subarray(0, -CHUNK_BYTES));
  await expect(verifyDisk(image, disk)).rejects.toThrow(expect.objectContaining({ code: 'ndz-cut' }));
});

test('a sample is the first region, the last, and so many others', async () => {
  const { image, disk, content } = await saved();
  const { checkedCount, comparedBytes } = await verifyDisk(image, disk, { sample: 5 });
  expect(checkedCount).toBe(7);
  expect(comparedBytes).toBeLessThanOrEqual(7 * 600 * 512);
  expect((await verifyDisk(image, disk, { sample: 0 })).checkedCount).toBe(2);
  expect((await verifyDisk(image, disk, { sample: 1000 })).difference).toBeNull();
  content[49 * 800 * 512 + 600 * 512 - 1] = (content[49 * 800 * 512 + 600 * 512 - 1] ?? 0) ^ 1;
  await writeFile(disk, content);
  expect((await verifyDisk(image, disk, { sample: 0 })).difference).not.toBeNull();
  content[0] = (content[0] ?? 0) ^ 1;
  await writeFile(disk, content);
  expect((await verifyDisk(image, disk, { sample: 0 })).difference?.offset).toBe(0);
});

test('a chunk that inflates to more than 32 MiB is compared in small pieces', async () => {
  const folder = await temporaryFolder();
  const [image, disk] = [join(folder, 'x.ndz'), join(folder, 'disk')];
  const count = (40 * 1024 * 1024) / 512;
  const content = Buffer.alloc(count * 512, 'x');
  await writeFile(image, chunkOf(headerOf({ lastSector: count, regions: [{ startSector: 0, sectorCount: count }] }), content));
  content[35_000_001] = 0;
  await writeFile(disk, content);
  expect((await verifyDisk(image, disk)).difference).toEqual({ offset: 35_000_001, region: { startSector: 0, sectorCount: count } });
});

test('fails on what cannot be read, and stops when told to', async () => {
  const { folder, image, disk } = await saved();
  await expect(verifyDisk(image, join(folder, 'none'))).rejects.toThrow(expect.objectContaining({ code: 'source-read-failed' }));
  await expect(verifyDisk(image, folder)).rejects.toThrow(expect.objectContaining({ code: 'disk-read-failed' }));
  await expect(verifyDisk(join(folder, 'none'), disk)).rejects.toThrow(expect.objectContaining({ code: 'ndz-unreadable' }));
  const reason = new Error('enough');
  await expect(verifyDisk(image, disk, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await descriptorsOf(folder)).toBe(0);
});

// needs root and loop devices
describe.skipIf(!hasLoop)('a block device', () => {
  test.each([512, 4096])('of sectors of %i bytes is read back as well', async (sectorBytes) => {
    const image = join(await temporaryFolder(), 'x.ndz');
    await writeFile(image, fixture('ext4'));
    const { device } = await loopOf(Buffer.alloc(20 * 1024 * 1024, 'old'), ['-b', String(sectorBytes)]);
    expect((await verifyDisk(image, device)).difference).toMatchObject({ offset: 0 });
    await applyImage(image, device);
    expect(await verifyDisk(image, device)).toMatchObject({ fromMedium: true, difference: null });
  });

  /** A device that the kernel remembers as it was: its medium has changed since. */
  const remembered = async (image: string): Promise<string> => {
    const { device, file } = await loopOf(Buffer.alloc(20 * 1024 * 1024), []);
    await applyImage(image, device);
    const keeper = await open(device); // the kernel would forget with the last one that has it open
    onTestFinished(() => keeper.close());
    await keeper.readFile();
    const medium = await open(file, 'r+');
    await medium.write(Buffer.from('!'), 0, 1, 70_001);
    await medium.close();
    return device;
  };

  test('is compared by what is on its medium, whatever the kernel remembers of it', async () => {
    const image = join(await temporaryFolder(), 'x.ndz');
    await writeFile(image, fixture('ext4'));
    const device = await remembered(image);
    expect(await verifyDisk(image, device)).toMatchObject({ fromMedium: true, difference: { offset: 70_001 } });
  });

  test('that cannot be read past the cache is as the kernel remembers it, unless it is made to forget', async () => {
    vi.stubEnv('IMAGING_NATIVE_OFF', 'all');
    onTestFinished(() => void vi.unstubAllEnvs());
    const image = join(await temporaryFolder(), 'x.ndz');
    await writeFile(image, fixture('ext4'));
    const device = await remembered(image);
    expect(await verifyDisk(image, device)).toMatchObject({ fromMedium: false, difference: null });
    const forget = (): Promise<boolean> => {
      execFileSync('blockdev', ['--flushbufs', device], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
      return Promise.resolve(true);
    };
    expect(await verifyDisk(image, device, { forget })).toMatchObject({ fromMedium: true, difference: { offset: 70_001 } });
  });
});
