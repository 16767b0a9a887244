import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, onTestFinished } from 'vitest';
import { openSource } from '../../src/disk/source.js';
import { planRanges } from '../../src/disk/plan/plan.js';
import type { Plan } from '../../src/disk/plan/plan-types.js';
import { temporaryFolder } from '../helpers/images.js';
import { disk, leftOut, PARTITION_BYTES, plan, TAIL_NOTE } from '../helpers/disks.js';
import { missing, tool } from '../helpers/file-system-tools.js';

const MIB = 1024 * 1024;

describe('recognised by its signature, and saved raw', () => {
  test.each([
    ['xfs', 0, 'XFSB'],
    ['btrfs', 0x10040, '_BHRfS_M'],
    ['f2fs', 1024, '\x10\x20\xf5\xf2'],
    ['LVM', 536, 'LVM2 001'],
    ['LUKS', 0, 'LUKS\xba\xbe'],
    ['md RAID', 4096, '\xfc\x4e\x2b\xa9'],
    ['md RAID', 4 * MIB - 65_536, '\xfc\x4e\x2b\xa9'],
    ['md RAID', 4 * MIB - 8192, '\xfc\x4e\x2b\xa9'],
    ['LVM', 1560, 'LVM2 001'],
    ['zfs', 131_032, '\x11\x7a\x0c\xb1\x7a\xda\x10\x02'],
    ['ocfs2', 4096, 'OCFSV2'],
    ['Stratis', 516, '!Stra0tis\x86\xff\x02^\x41rh'],
    ['iso9660', 0x8001, 'CD001'],
    ['BitLocker', 3, '-FVE-FS-'],
  ])('%s at byte %d', async (name, offset, magic) => {
    const bytes = Buffer.alloc(4 * MIB);
    bytes.write(magic, offset, 'latin1');
    const result = await plan(bytes);
    expect(result.partitions).toMatchObject([{ fileSystem: name, savedAs: 'raw', usedBytes: 4 * MIB }]);
    expect(result.notes).toEqual([`the disk is ${name}, whose free space is not looked for: saved raw`]);
    expect(leftOut(result)).toEqual([]);
  });

  test('what a container was put over is not taken for a file system', async () => {
    const bytes = disk('ext2').subarray(PARTITION_BYTES);
    bytes.write('\xfc\x4e\x2b\xa9', 4096, 'latin1'); // where software RAID has its superblock; that of ext2, at 1024, is left
    const result = await plan(bytes);
    expect(result.partitions).toMatchObject([{ fileSystem: null, savedAs: 'raw' }]);
    expect(result.notes).toEqual(['the disk looks like ext and md RAID at once: saved raw']);
  });

  test.each([
    ['ext2', 1024 + 0x20, 'ext'],
    ['ntfs', 0x30, 'ntfs'],
    ['exfat', 88, 'exfat'],
    ['fat16', 512 + 3, null],
  ])('%s with a broken number at byte %d', async (name, offset, seen) => {
    const bytes = disk(name).subarray(PARTITION_BYTES);
    if (seen === null)
      bytes.writeUInt16LE(1, 22); // a table too short
    else bytes.writeUInt32LE(0xffff_fff0, offset);
    const result = await plan(bytes);
    expect(result.partitions).toMatchObject([{ fileSystem: seen ?? 'fat16', savedAs: 'raw' }]);
    expect(result.notes).toEqual([expect.stringMatching(/^the disk looks like \w+, but .*: saved raw$/)]);
    expect(leftOut(result)).toEqual([]);
  });

  test('names on a disk cannot play with the terminal', async () => {
    const bytes = disk('ext2').subarray(PARTITION_BYTES);
    bytes.write('\u001b[2Ja\u009bb\nc', 1024 + 0x78);
    expect((await plan(bytes)).partitions).toMatchObject([{ label: expect.stringMatching(/^\?\[2Ja\?b\?c/) as unknown }]);
  });
});

const whyNoLoop = process.getuid?.() === 0 ? (missing('losetup', 'mount', 'umount') ?? noLoop()) : 'needs root';
if (whyNoLoop) console.log(`mounted disks are not tested: ${whyNoLoop}`);

function noLoop(): string | null {
  try {
    tool('losetup', ['-f']);
    return null;
  } catch {
    return 'no loop devices here';
  }
}

describe.skipIf(whyNoLoop)('a disk that is in use', () => {
  test.each(['device', 'file'])('is said to be: by its %s', async (way) => {
    const folder = await temporaryFolder();
    const [file, at] = [join(folder, 'disk'), join(folder, 'at')];
    await writeFile(file, disk('ext4'));
    await mkdir(at);
    // the partition as a device of its own: not every kernel finds partitions on loop devices
    const device = tool('losetup', ['-f', '--show', '-o', String(PARTITION_BYTES), '--sizelimit', String(12 * MIB), file]).trim();
    onTestFinished(() => void tool('losetup', ['-d', device]));
    const planOf = async (): Promise<Plan> => {
      const source = await openSource(way === 'device' ? device : file);
      try {
        return await planRanges(source);
      } finally {
        await source.close();
      }
    };
    expect(await planOf()).toMatchObject({ partitions: [{ state: 'clean' }], notes: way === 'file' ? [TAIL_NOTE] : [] });
    tool('mount', ['-o', 'ro,noload', device, at]);
    try {
      const { partitions, notes } = await planOf();
      expect(partitions).toMatchObject([{ state: 'mounted', savedAs: 'allocated' }]);
      const who = way === 'device' ? 'the disk' : 'partition 1';
      expect(notes).toEqual([
        ...(way === 'file' ? [TAIL_NOTE] : []),
        `${who} is mounted on ${at} while it is saved: files that change meanwhile will be broken in the image`,
      ]);
    } finally {
      tool('umount', [at]);
    }
  });
});
