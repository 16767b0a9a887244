import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeDemoImage } from '../../src/testbed/demo-image.js';
import { decodeChunkHeader } from '../../src/ndz/codec/format.js';
import { verifyImage } from '../../src/ndz/check/verify.js';
import { openDiskSink } from '../../src/ndz/apply/disk-sink.js';
import { systemHost, type Host } from '../../src/util/host.js';
import { chunksOf, descriptorsOf, inflated, sha256, temporaryFolder } from '../helpers/images.js';

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const has = (program: string): boolean => spawnSync(program, ['-V'], { env: { PATH }, stdio: 'ignore' }).error === undefined;
const withoutMke2fs: Host = {
  ...systemHost,
  spawn: ((_: string, ...rest: [string[], object]) => spawn('/nonexistent/mke2fs', ...rest)) as Host['spawn'],
};

async function restoredFrom(ndzPath: string, path: string): Promise<Buffer> {
  const sink = await openDiskSink(path);
  for (const chunk of chunksOf(await readFile(ndzPath))) await sink.write(chunk);
  await sink.finish();
  return readFile(path);
}

/** Start and size, in bytes, of the one partition. */
function partitionOf(disk: Buffer): { start: number; size: number; type: number } {
  expect(disk.readUInt16LE(510)).toBe(0xaa55);
  return { start: disk.readUInt32LE(454) * 512, size: disk.readUInt32LE(458) * 512, type: disk.readUInt8(450) };
}

describe.each([
  ['with mke2fs', systemHost, has('mke2fs')],
  ['without', withoutMke2fs, false],
])('a demo image, %s', (_, host, hasFileSystem) => {
  test.each([1024 * 1024, 5_000_000])('of %i bytes is the image of its disk', async (sizeBytes) => {
    const dir = join(await temporaryFolder(), 'images');
    const image = await makeDemoImage(dir, { sizeBytes, host });
    expect(image).toMatchObject({ rawPath: join(dir, 'demo.img'), ndzPath: join(dir, 'demo.ndz'), stampName: 'demo', hasFileSystem });
    const disk = await readFile(image.rawPath);
    expect(disk.byteLength).toBe(Math.floor(sizeBytes / 512) * 512);
    expect(sha256(disk)).toBe(image.sha256);
    const { start, size, type } = partitionOf(disk);
    expect([start + size, type]).toEqual([disk.byteLength, 0x83]);
    const info = await verifyImage(image.ndzPath);
    expect(info).toMatchObject({ diskBytes: disk.byteLength, effectiveBytes: disk.byteLength, checksums: true });
    expect(info.actualBytes).toBeLessThan(disk.byteLength); // free space that holds zeros is left out
    expect(info.sizeBytes).toBeGreaterThan(sizeBytes * 0.2);
    expect(sha256(await restoredFrom(image.ndzPath, join(dir, '..', 'restored')))).toBe(image.sha256);
    expect(disk.includes('- image demo - by imaging\n')).toBe(true);
    expect((await readdir(dir)).sort()).toEqual(['demo.img', 'demo.ndz']);
    expect(await descriptorsOf(dir)).toBe(0);
  });

  test('is made anew over an older one', async () => {
    const dir = await temporaryFolder();
    await writeFile(join(dir, 'demo.ndz'), 'older');
    const { ndzPath } = await makeDemoImage(dir, { sizeBytes: 2 * 1024 * 1024, host });
    await verifyImage(ndzPath);
  });
});

test.skipIf(!has('mke2fs') || !has('debugfs') || !has('e2fsck'))('holds a sound file system with the stamp in it', async () => {
  const dir = await temporaryFolder();
  const { ndzPath } = await makeDemoImage(dir, { sizeBytes: 24 * 1024 * 1024 });
  // on a disk that was not empty
  const disk = Buffer.alloc(24 * 1024 * 1024, 0xff);
  for (const chunk of chunksOf(await readFile(ndzPath))) {
    const [header, data] = [decodeChunkHeader(chunk), await inflated(chunk)];
    let offset = 0;
    for (const { startSector, sectorCount } of header.regions) {
      disk.set(data.subarray(offset, (offset += sectorCount * 512)), startSector * 512);
    }
  }
  const part = join(dir, 'part');
  await writeFile(part, disk.subarray(partitionOf(disk).start));
  execFileSync('e2fsck', ['-fn', part], { env: { PATH }, stdio: 'ignore' });
  const read = (path: string): string =>
    execFileSync('debugfs', ['-R', `cat ${path}`, part], { env: { PATH }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  expect(read('/etc/imaging-image')).toMatch(/^\d{4}-\d\d-\d\d@\d\d:\d\d - node none - image demo - by imaging\n$/);
  expect(read('/etc/hostname')).toBe('demo\n');
});

test('has room for a disk', async () => {
  await expect(makeDemoImage(await temporaryFolder(), { sizeBytes: 1000 })).rejects.toThrow(RangeError);
});

test('leaves nothing behind when it is stopped', async () => {
  const dir = await temporaryFolder();
  const reason = new Error('enough');
  await expect(makeDemoImage(dir, { sizeBytes: 4 * 1024 * 1024, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await readdir(dir)).toEqual([]);
});
