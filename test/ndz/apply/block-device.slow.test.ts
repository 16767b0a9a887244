import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, readlink, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SectorRange } from '../../../src/disk/sector.js';
import { applyImage } from '../../../src/ndz/apply/apply.js';
import { openDiskSink, openRawSink } from '../../../src/ndz/apply/disk-sink.js';
import { CHUNK_BYTES } from '../../../src/ndz/codec/format.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { chunksOf, descriptorsOf, temporaryFolder } from '../../helpers/images.js';
import { hasLoop, loopOf } from '../../helpers/loop.js';
import { writeMbr } from '../../helpers/partition-tables.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const DEVICE_BYTES = 40 * MIB;
const DISK_SECTORS = (24 * MIB) / SECTOR;

/** Regions that begin and end wherever they like, some next to each other, most of them small. */
function ragged(): SectorRange[] {
  const ranges: SectorRange[] = [];
  for (let at = 3, i = 0; ; i++) {
    const count = i % 40 === 7 ? 5001 : 1 + ((i * 37) % 61);
    if (at + count > DISK_SECTORS) return ranges;
    ranges.push({ startSector: at, endSector: at + count });
    at += count + 1 + ((i * 53) % 129);
  }
}

let made: Promise<{ image: Buffer; content: Buffer; ranges: SectorRange[] }> | null = null;

/** An image of a disk with such regions. */
function saved(): NonNullable<typeof made> {
  return (made ??= (async () => {
    const folder = await temporaryFolder();
    const ranges = ragged();
    const content = randomBytes(DISK_SECTORS * SECTOR);
    await writeFile(join(folder, 'disk'), content);
    await writeImage(join(folder, 'disk'), join(folder, 'image'), { level: 1, ranges });
    return { image: await readFile(join(folder, 'image')), content, ranges };
  })());
}

/** What a disk must hold then from byte `baseBytes` on. */
async function written(disk: Buffer, baseBytes: number, zeroFillTo: number | null): Promise<Buffer> {
  const { content, ranges } = await saved();
  if (zeroFillTo !== null) disk.fill(0, baseBytes, zeroFillTo);
  for (const { startSector, endSector } of ranges)
    disk.set(content.subarray(startSector * SECTOR, endSector * SECTOR), baseBytes + startSector * SECTOR);
  return disk;
}

const PARTITION = { from: 2 * MIB + 4096, to: 2 * MIB + 4096 + DISK_SECTORS * SECTOR + 8192 };
const old = (sectorBytes: number): Buffer => {
  const disk = Buffer.alloc(DEVICE_BYTES, 'what was there before. ');
  disk.fill(0, 0, SECTOR);
  writeMbr(disk, 0, [
    { type: 0x83, start: MIB / sectorBytes, count: 100 },
    { type: 0x83, start: PARTITION.from / sectorBytes, count: (PARTITION.to - PARTITION.from) / sectorBytes },
  ]);
  return disk;
};

async function imagePath(): Promise<string> {
  const path = join(await temporaryFolder(), 'x.ndz');
  await writeFile(path, (await saved()).image);
  return path;
}

/** Descriptors of this process that are open past the page cache. */
async function directDescriptors(device: string): Promise<number> {
  const names = await readdir('/proc/self/fdinfo');
  const found = await Promise.all(
    names.map(async (name) => {
      const target = await readlink(`/proc/self/fd/${name}`).catch(() => '');
      const flags = /flags:\s*0*(\d+)/.exec(await readFile(`/proc/self/fdinfo/${name}`, 'latin1').catch(() => ''))?.[1] ?? '0';
      return target === device && (parseInt(flags, 8) & 0o40000) !== 0;
    }),
  );
  return found.filter(Boolean).length;
}

const ways = [
  { off: '', sectorBytes: 512, options: ['--direct-io=on'] },
  { off: '', sectorBytes: 4096, options: [] },
  { off: 'all', sectorBytes: 4096, options: [] },
];

// needs root and loop devices
describe.skipIf(!hasLoop).each(ways)(
  'a device of sectors of $sectorBytes bytes, switched off: "$off" $options',
  ({ off, sectorBytes, options }) => {
    beforeEach(() => {
      vi.stubEnv('IMAGING_NATIVE_OFF', off);
      return () => vi.unstubAllEnvs();
    });
    const disk = (content: Uint8Array) => loopOf(content, ['-b', String(sectorBytes), ...options]);
    const holds = async (file: string, wanted: Buffer): Promise<void> =>
      void expect((await readFile(file)).equals(wanted), `${file} is not as it should be`).toBe(true);

    test.each([false, true])('gets an image from a file; zero fill: %s', async (zeroFill) => {
      const { device, file } = await disk(old(sectorBytes));
      await applyImage(await imagePath(), device, { zeroFill });
      await holds(file, await written(old(sectorBytes), 0, zeroFill ? DEVICE_BYTES : null));
      expect(await descriptorsOf(device)).toBe(0);
    });

    test('gets an image from a pipe', async () => {
      const { device, file } = await disk(old(sectorBytes));
      await applyImage(createReadStream(await imagePath()), device);
      await holds(file, await written(old(sectorBytes), 0, null));
    });

    test.each([false, true])('gets a partition; zero fill: %s', async (zeroFill) => {
      const { device, file } = await disk(old(sectorBytes));
      await applyImage(await imagePath(), device, { slice: 2, zeroFill });
      await holds(file, await written(old(sectorBytes), PARTITION.from, zeroFill ? PARTITION.to : null));
    });

    test.each([
      [false, undefined],
      [true, undefined],
      [false, 2],
      [true, 2],
    ])('takes chunks in any order; zero fill: %s, partition: %s', async (zeroFill, slice) => {
      const { device, file } = await disk(old(sectorBytes));
      const sink = await openDiskSink(device, { zeroFill, ...(slice === undefined ? {} : { slice }) });
      expect(await directDescriptors(device)).toBe(off === '' ? 1 : 0);
      for (const chunk of chunksOf((await saved()).image).reverse()) await sink.write(chunk);
      await sink.finish();
      const [from, to] = slice === undefined ? [0, DEVICE_BYTES] : [PARTITION.from, PARTITION.to];
      await holds(file, await written(old(sectorBytes), from, zeroFill ? to : null));
      expect(await descriptorsOf(device)).toBe(0);
    });

    test('gets a file of any length as it is', async () => {
      const { device, file } = await disk(old(sectorBytes));
      const content = randomBytes(5 * MIB + 12_345);
      const sink = openRawSink(device);
      await sink.begin?.(content.byteLength);
      const memory = Buffer.alloc(CHUNK_BYTES); // filled again for each chunk, as a receiver does
      for (let position = 5; position >= 0; position--) {
        const part = content.subarray(position * CHUNK_BYTES, (position + 1) * CHUNK_BYTES);
        memory.fill(0).set(part);
        await sink.write(memory, position, part.byteLength);
      }
      await sink.finish();
      const wanted = old(sectorBytes);
      wanted.set(content);
      await holds(file, wanted);
    });

    test('is closed when the writing ends early', async () => {
      const { device } = await disk(old(sectorBytes));
      const ending = new AbortController();
      const reason = new Error('enough');
      const applied = applyImage(await imagePath(), device, { signal: ending.signal, onProgress: () => ending.abort(reason) });
      await expect(applied).rejects.toBe(reason);
      const sink = await openDiskSink(device);
      const [first] = chunksOf((await saved()).image);
      if (!first) throw new Error('an image without chunks');
      const writing = sink.write(first).catch(() => undefined);
      await sink.abort();
      await writing;
      await sink.abort();
      expect(await descriptorsOf(device)).toBe(0);
    });

    test('whose medium has no room fails, whoever writes', async () => {
      const folder = await temporaryFolder();
      await mkdir(join(folder, 'full'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', join(folder, 'full')]);
      onTestFinished(() => void execFileSync('umount', ['-l', join(folder, 'full')]));
      const backing = join(folder, 'full', 'backing');
      writeFileSync(backing, '');
      truncateSync(backing, DEVICE_BYTES);
      const device = execFileSync('losetup', ['-f', '--show', '-b', String(sectorBytes), backing], { encoding: 'utf8' }).trim();
      onTestFinished(() => void execFileSync('losetup', ['-d', device]));
      await expect(applyImage(await imagePath(), device)).rejects.toThrow(expect.objectContaining({ code: 'disk-write-failed' }));
      const sink = await openDiskSink(device);
      const all = async (): Promise<void> => {
        for (const chunk of chunksOf((await saved()).image)) await sink.write(chunk);
        await sink.finish();
      };
      await expect(all()).rejects.toThrow(expect.objectContaining({ code: 'disk-write-failed' }));
      await sink.abort();
      expect(await descriptorsOf(device)).toBe(0);
    });
  },
);
