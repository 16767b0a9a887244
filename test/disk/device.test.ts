import { execFileSync } from 'node:child_process';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blockDeviceBytes, kindOf } from '../../src/disk/device.js';
import { openDiskSink } from '../../src/ndz/apply/disk-sink.js';
import { runImagezip } from '../../src/programs/imagezip.js';
import { chunksOf, expectedOf, fixture, sha256, temporaryFolder } from '../helpers/images.js';
import { PassThrough } from 'node:stream';

test.each([1, 511, 512, 513, 70_001, 5_000_000])('without /sys the end is found by reading: %i bytes', async (sizeBytes) => {
  const path = join(await temporaryFolder(), 'device');
  await writeFile(path, '');
  await truncate(path, sizeBytes);
  const handle = await open(path); // no device, so /sys knows nothing of it
  try {
    expect(await kindOf(handle)).toBe('file');
    expect(await blockDeviceBytes(handle)).toBe(sizeBytes);
  } finally {
    await handle.close();
  }
});

/** Whether this user may set up a loop device. */
const hasLoop = ((): boolean => {
  try {
    execFileSync('losetup', ['-f'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
})();

// needs root and loop devices
describe.skipIf(!hasLoop)('a block device', () => {
  const withDevice = async (sizeBytes: number, work: (device: string) => Promise<void>): Promise<void> => {
    const file = join(await temporaryFolder(), 'backing');
    await writeFile(file, Buffer.alloc(sizeBytes, 'old'));
    const device = execFileSync('losetup', ['-f', '--show', file], { encoding: 'utf8' }).trim();
    try {
      await work(device);
    } finally {
      execFileSync('losetup', ['-d', device]);
    }
  };
  const contentOf = (device: string, sizeBytes: number): Buffer =>
    execFileSync('dd', [`if=${device}`, 'bs=1M', 'status=none'], { maxBuffer: 2 * sizeBytes });
  const old = (sizeBytes: number): Buffer => Buffer.alloc(sizeBytes, 'old');
  const { writtenSha256, writtenBytes, diskBytes, effectiveBytes, actualBytes } = expectedOf('ext4');

  test('keeps what lies in free space and beyond the image', async () => {
    const sizeBytes = 20 * 1024 * 1024;
    await withDevice(sizeBytes, async (device) => {
      const sink = await openDiskSink(device);
      for (const chunk of chunksOf(fixture('ext4'))) await sink.write(chunk);
      expect(await sink.finish()).toMatchObject({ effectiveBytes, actualBytes });
      const disk = contentOf(device, sizeBytes);
      const gap = [6524 * 512, 18_434 * 512] as const;
      expect(Buffer.compare(disk.subarray(...gap), old(sizeBytes).subarray(...gap))).toBe(0);
      expect(Buffer.compare(disk.subarray(writtenBytes), old(sizeBytes).subarray(writtenBytes))).toBe(0);
      expect(sha256(disk.fill(0, ...gap).subarray(0, writtenBytes))).toBe(writtenSha256);
    });
  });

  test('is zeroed to its end when asked', async () => {
    const sizeBytes = 20 * 1024 * 1024;
    await withDevice(sizeBytes, async (device) => {
      const sink = await openDiskSink(device, { zeroFill: true });
      for (const chunk of chunksOf(fixture('ext4'))) await sink.write(chunk);
      expect(await sink.finish()).toMatchObject({ effectiveBytes: sizeBytes, actualBytes: sizeBytes });
      const disk = contentOf(device, sizeBytes);
      expect(sha256(disk.subarray(0, writtenBytes))).toBe(writtenSha256);
      expect(disk.subarray(writtenBytes).every((byte) => byte === 0)).toBe(true);
    });
  });

  test('smaller than the imaged disk takes the image when its data fits, and refuses it before writing beyond', async () => {
    await withDevice(10 * 1024 * 1024, async (device) => {
      const fitting = await openDiskSink(device, { zeroFill: true });
      for (const chunk of chunksOf(fixture('ext4'))) await fitting.write(chunk);
      expect(await fitting.finish()).toMatchObject({ effectiveBytes: diskBytes });
      const sink = await openDiskSink(device);
      await expect(sink.write(fixture('gpt'))).rejects.toThrow(
        expect.objectContaining({
          code: 'disk-too-small',
          message: expect.stringContaining('has 10485760 bytes, the image needs 18874368') as unknown,
        }),
      );
      await sink.abort();
    });
  });

  test('is saved whole', async () => {
    await withDevice(2 * 1024 * 1024, async (device) => {
      const output = join(await temporaryFolder(), 'x.ndz');
      const stderr = new PassThrough();
      expect(await runImagezip(['-r', device, output], { stdout: new PassThrough(), stderr })).toBe(0);
      expect(String(stderr.read())).toMatch(/^2097152 input \(2097152 compressed\) bytes/);
    });
  });
});
