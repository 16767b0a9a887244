import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planRanges } from '../../src/disk/plan/plan.js';
import type { PartitionInfo } from '../../src/disk/plan/plan-types.js';
import { readChunks } from '../../src/ndz/read/chunk-stream.js';
import type { SectorRange } from '../../src/disk/sector.js';
import { openDiskSink } from '../../src/ndz/apply/disk-sink.js';
import { openSource } from '../../src/disk/source.js';
import { writeImage } from '../../src/ndz/write/writer.js';
import { temporaryFolder } from '../helpers/images.js';
import { writeMbr } from '../helpers/partition-tables.js';
import { missing, tool } from '../helpers/file-system-tools.js';

const MIB = 1024 * 1024;
const START = 2048;

/** Files of many sizes, by name. */
const contents = new Map(
  Array.from({ length: 24 }, (_, i) => [`file${i}`, randomBytes([20, 900, 5000, 70_000, 300_000, 700_000][i % 6] ?? 0)]),
);
const names = (folder: string): string[] => readdirSync(folder).sort();
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** How a file system is made, filled, checked and read back, all without being mounted. */
type Family = {
  needs: string[];
  make(part: string, options: string[]): void;
  fill(part: string, files: string): void;
  remove(part: string, names: string[]): void;
  check(part: string): void;
  readBack(part: string, folder: string): void;
};

const ext: Family = {
  needs: ['mke2fs', 'debugfs', 'e2fsck'],
  make: (part, options) => void tool('mke2fs', ['-q', '-F', ...options, part]),
  fill: (part, files) =>
    void tool('debugfs', ['-w', '-f', '-', part], {
      input: names(files)
        .map((name) => `write ${join(files, name)} ${name}`)
        .join('\n'),
    }),
  remove: (part, list) => void tool('debugfs', ['-w', '-f', '-', part], { input: list.map((name) => `rm ${name}`).join('\n') }),
  check: (part) => void tool('e2fsck', ['-fn', part]),
  readBack: (part, folder) => void tool('debugfs', ['-R', `rdump / ${folder}`, part]),
};

const fat: Family = {
  needs: ['mkfs.vfat', 'mcopy', 'mdel', 'fsck.vfat'],
  make: (part, options) => void tool('mkfs.vfat', [...options, part]),
  fill: (part, files) => void tool('mcopy', ['-Q', '-i', part, ...names(files).map((name) => join(files, name)), '::/']),
  remove: (part, list) => void tool('mdel', ['-i', part, ...list.map((name) => `::/${name}`)]),
  check: (part) => void tool('fsck.vfat', ['-n', part]),
  readBack: (part, folder) => void tool('mcopy', ['-n', '-i', part, '::/*', folder]),
};

const ntfs: Family = {
  needs: ['mkntfs', 'ntfscp', 'ntfsfix', 'ntfscat'],
  make: (part, options) => void tool('mkntfs', ['-q', '-Q', '-F', '-p', String(START), '-H', '255', '-S', '63', ...options, part]),
  fill: (part, files) => names(files).forEach((name) => tool('ntfscp', ['-f', part, join(files, name), name])),
  remove: () => undefined, // nothing here removes files from NTFS without mounting it
  check: (part) => void tool('ntfsfix', ['-n', part]),
  readBack: (part, folder) =>
    contents.forEach((_, name) => writeFileSync(join(folder, name), execFileSync('ntfscat', ['-f', part, name], { maxBuffer: 1 << 28 }))),
};

// scripts/prove-ndz.mjs has many more, mounted
const cases: [string, Family, number, string[]][] = [
  ['ext3', ext, 32, ['-t', 'ext3']],
  ['ext4 as mke2fs makes it', ext, 100, ['-t', 'ext4', '-E', 'nodiscard']],
  ['ext4 with bigalloc', ext, 64, ['-t', 'ext4', '-b', '4096', '-O', 'bigalloc', '-E', 'nodiscard']],
  ['ext4 with meta_bg', ext, 40, ['-t', 'ext4', '-b', '1024', '-g', '1024', '-O', 'meta_bg,^resize_inode,^64bit', '-E', 'nodiscard']],
  ['ext4 with uninit_bg', ext, 40, ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,uninit_bg,^64bit', '-E', 'nodiscard']],
  ['FAT12', fat, 12, ['-F', '12', '-s', '16']],
  ['FAT32', fat, 64, ['-F', '32', '-s', '1']],
  ['NTFS', ntfs, 24, []],
];

const skipped = cases.map(([, family]) => missing(...family.needs)).find((reason) => reason !== null);
if (skipped) console.log(`some file systems are not tested with their own programs: ${skipped}`);

describe('over a disk full of other things', () => {
  for (const [title, family, mebibytes, options] of cases) {
    test.skipIf(missing(...family.needs))(
      `${title}: files come back, and free space is not in the image`,
      { timeout: 120_000 },
      async () => {
        const folder = await temporaryFolder();
        const [part, disk, image, restored] = ['part', 'disk', 'image.ndz', 'restored'].map((name) => join(folder, name)) as [
          string,
          string,
          string,
          string,
        ];
        const files = join(folder, 'files');
        await garbage(part, mebibytes);
        family.make(part, options);
        await writeFiles(files);
        family.fill(part, files);
        const gone = [...contents.keys()].filter((_, i) => i % 4 === 1);
        family.remove(part, gone);
        await makeDisk(disk, part, mebibytes);

        const { info, ranges } = await zip(disk, image);
        expect(info).toMatchObject({ state: 'clean', savedAs: 'allocated' });
        expect(info.usedBytes).toBeLessThan(info.totalBytes - 3 * MIB);

        await unzip(image, ranges, restored, mebibytes + 2);
        const back = join(folder, 'back');
        await mkdir(back);
        const copy = join(folder, 'copy');
        await writeFile(copy, (await readFile(restored)).subarray(START * 512, START * 512 + mebibytes * MIB));
        family.check(copy);
        family.readBack(copy, back);
        const found = await hashes(back);
        for (const [name, bytes] of contents)
          if (!gone.includes(name) || family === ntfs) expect([name, found.get(name)]).toEqual([name, sha(bytes)]);
      },
    );
  }
});

async function writeFiles(folder: string): Promise<void> {
  await mkdir(folder);
  for (const [name, bytes] of contents) await writeFile(join(folder, name), bytes);
}

/** A file in which nothing is zero and no two files are alike. */
async function garbage(path: string, mebibytes: number): Promise<void> {
  const handle = await open(path, 'w');
  const piece = randomBytes(MIB);
  for (let i = 0; i < mebibytes; i++) await handle.write(piece);
  await handle.close();
}

async function makeDisk(path: string, part: string, mebibytes: number): Promise<void> {
  await garbage(path, mebibytes + 2);
  const handle = await open(path, 'r+');
  const sector = Buffer.alloc(512);
  writeMbr(sector, 0, [{ type: 0x83, start: START, count: mebibytes * 2048 }]);
  await handle.write(sector, 0, 512, 0);
  let offset = START * 512;
  for await (const piece of createReadStream(part, { highWaterMark: MIB }) as AsyncIterable<Buffer>) {
    await handle.write(piece, 0, piece.byteLength, offset);
    offset += piece.byteLength;
  }
  await handle.close();
}

async function zip(disk: string, image: string): Promise<{ info: PartitionInfo; ranges: SectorRange[] }> {
  const source = await openSource(disk);
  try {
    const { ranges, partitions } = await planRanges(source);
    await writeImage(source, image, { ranges, level: 1 });
    const [info] = partitions;
    if (!info) throw new Error('no partition');
    return { info, ranges };
  } finally {
    await source.close();
  }
}

/** Restores an image over other garbage, as onto a used disk: what is not in the image is neither zero nor what it was. */
async function unzip(image: string, ranges: SectorRange[], disk: string, mebibytes: number): Promise<void> {
  const plain = `${disk}.plain`;
  const sink = await openDiskSink(plain);
  for await (const chunk of readChunks(createReadStream(image), image)) await sink.write(chunk);
  await sink.finish();
  await garbage(disk, mebibytes);
  const [from, to] = [await open(plain, 'r'), await open(disk, 'r+')];
  for (const { startSector, endSector } of ranges) {
    const bytes = Buffer.alloc((endSector - startSector) * 512);
    await from.read(bytes, 0, bytes.byteLength, startSector * 512);
    await to.write(bytes, 0, bytes.byteLength, startSector * 512);
  }
  await Promise.all([from.close(), to.close()]);
}

async function hashes(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isFile()) found.set(entry.name, sha(await readFile(join(folder, entry.name))));
  return found;
}
