import { describe, expect, test } from 'vitest';
import { disk, diskNames, expected, isWithin, leftOut, PARTITION_BYTES, plan, TAIL_NOTE } from '../helpers/disks.js';

const UUID = '00112233-4455-6677-8899-aabbccddeeff';

describe('each file system', () => {
  test.each(diskNames)('%s: left out is what other programs call free', async (name) => {
    const result = await plan(disk(name), { minSkipSectors: 0 });
    // after a crash, what was free once and is used by the journal's last word may be saved too much: never too little
    if (name === 'ext4-dirty') expect(isWithin(leftOut(result), expected[name] ?? [])).toBe(true);
    else expect(leftOut(result)).toEqual(expected[name]);
    expect(result.partitions.every(({ usedBytes, totalBytes, savedAs }) => savedAs === 'raw' || usedBytes < totalBytes)).toBe(true);
  });

  test.each([
    ['ext2', 'ext2', 'fixture', UUID],
    ['ext3', 'ext3', 'fixture', UUID],
    ['ext4', 'ext4', 'fixture', UUID],
    ['ext4-uninit', 'ext4', 'fixture', UUID],
    ['fat12', 'fat12', 'FIXTURE', '1234-ABCD'],
    ['fat16', 'fat16', 'FIXTURE', '1234-ABCD'],
    ['fat32', 'fat32', 'FIXTURE', '1234-ABCD'],
    ['ntfs', 'ntfs', 'Fixture', expect.stringMatching(/^[0-9A-F]{16}$/) as unknown],
    ['exfat', 'exfat', 'Fixture', expect.stringMatching(/^[0-9A-F]{4}-[0-9A-F]{4}$/) as unknown],
  ])('%s is named, with label and identity', async (name, fileSystem, label, uuid) => {
    const { partitions, notes } = await plan(disk(name));
    expect(partitions).toMatchObject([{ number: 1, fileSystem, label, uuid, state: 'clean', savedAs: 'allocated', startSector: 2048 }]);
    expect(notes).toEqual([TAIL_NOTE]);
  });

  test('each partition of a disk with many', async () => {
    const { partitions, notes } = await plan(disk('extended'));
    expect(partitions.map(({ number, typeName, fileSystem, savedAs }) => [number, typeName, fileSystem, savedAs])).toEqual([
      [1, 'Linux', 'ext4', 'allocated'],
      [5, 'Linux swap', 'swap', 'header-only'],
      [6, 'Linux', 'ext2', 'allocated'],
      [7, 'Linux LVM', null, 'raw'],
    ]);
    expect(notes).toEqual([TAIL_NOTE, 'partition 7 (Linux LVM) holds nothing that is known here: saved raw']);
  });

  test('a file system smaller than its place: what follows is saved', async () => {
    const part = disk('ext2').subarray(PARTITION_BYTES, PARTITION_BYTES + 6 * 1024 * 1024);
    const result = await plan(Buffer.concat([part, Buffer.alloc(65 * 1024 * 1024)]));
    expect(leftOut(result).every(([, end]) => end <= 12_288)).toBe(true);
    expect(result.notes).toEqual(['the disk is larger than its file system; the 65 MiB behind that are saved']);
  });
});

const whole = (bytes: Buffer): Buffer => bytes.subarray(PARTITION_BYTES);
/** The partition of a disk, with some bytes changed. */
function part(name: string, change: (bytes: Buffer) => void): Buffer {
  const bytes = whole(disk(name));
  change(bytes);
  return bytes;
}

describe('what was not left in order', () => {
  const raw = { savedAs: 'raw', state: 'dirty' };

  test('ext4 with a journal to replay: what the journal knows is saved, and it is said', async () => {
    const result = await plan(disk('ext4-dirty'), { minSkipSectors: 0 });
    expect(result.partitions).toMatchObject([{ fileSystem: 'ext4', state: 'dirty', savedAs: 'allocated' }]);
    expect(result.notes).toEqual([
      TAIL_NOTE,
      'partition 1 was not unmounted cleanly; its journal is saved with it and will be replayed when it is mounted',
    ]);
    const sectors = (list: [number, number][]): number => list.reduce((sum, [first, end]) => sum + end - first, 0);
    expect(sectors(leftOut(result))).toBeGreaterThan(sectors(expected['ext4-dirty'] ?? []) * 0.9);
    // with an empty journal, as it is for who does not look into it, files would be lost
    const blind = await plan(
      part('ext4-dirty', (bytes) => bytes.writeUInt32BE(0, bytes.indexOf(Buffer.from('c03b399800000004', 'hex')) + 0x1c)),
      { minSkipSectors: 0 },
    );
    const inPart = (expected['ext4-dirty'] ?? []).map(([first, end]): [number, number] => [first - 2048, end - 2048]);
    expect(isWithin(leftOut(blind), inPart)).toBe(false);
  });

  test('ext4 whose journal has a tree of four million equal branches: saved raw, soon', async () => {
    const result = await plan(
      part('ext4-dirty', (bytes) => {
        const journal = bytes.indexOf(Buffer.from('c03b399800000004', 'hex')) / 1024;
        const oneExtent = Buffer.from([0x0a, 0xf3, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, journal & 0xff, journal >> 8]);
        const inode = bytes.indexOf(oneExtent, 2048); // the superblock has a copy of it
        expect(inode).toBeGreaterThan(0);
        const block = 9000; // in free space
        const node = (at: number, entries: number, depth: number, below: number): void => {
          bytes.fill(0, at, at + 60);
          bytes.set([0x0a, 0xf3, entries, 0, entries, 0, depth], at);
          for (let i = 0; i < entries; i++) bytes.set([0, 0, 0, 0, below & 0xff, below >> 8, 0, 0, 0, 0, 0, 0], at + 12 + i * 12);
        };
        node(inode, 4, 5, block + 4);
        for (const depth of [4, 3, 2, 1, 0]) node((block + depth) * 1024, depth === 0 ? 0 : 34, depth, block + depth - 1);
      }),
    );
    expect(result.notes).toEqual(['the disk looks like ext, but an extent tree in it is broken: saved raw']);
  });

  test.each([
    ['ext2', 'has errors', (bytes: Buffer) => bytes.writeUInt16LE(3, 1024 + 0x3a), 'is marked as having errors'],
    ['ext2', 'is not unmounted', (bytes: Buffer) => bytes.writeUInt16LE(0, 1024 + 0x3a), 'was not unmounted cleanly and has no journal'],
    ['exfat', 'is not unmounted', (bytes: Buffer) => bytes.writeUInt16LE(2, 106), 'was not unmounted cleanly'],
  ])('%s that %s: saved raw', async (name, _, change, words) => {
    const result = await plan(part(name, change));
    expect(result.partitions).toMatchObject([raw]);
    expect(leftOut(result)).toEqual([]);
    expect(result.notes).toEqual([expect.stringContaining(`the disk ${words}`)]);
  });

  test.each([
    ['fat16', (bytes: Buffer, fat: number) => bytes.writeUInt16LE(0x7fff, fat + 2), 'the disk was not unmounted cleanly; run fsck.fat'],
    ['fat16', (bytes: Buffer, fat: number) => bytes.writeUInt16LE(0xbfff, fat + 2), 'the disk is marked as having had disk errors'],
    [
      'fat32',
      (bytes: Buffer, fat: number) => bytes.writeUInt32LE(0x07ff_ffff, fat + 4),
      'the disk was not unmounted cleanly; run fsck.fat',
    ],
    ['fat32', (bytes: Buffer) => bytes.writeUInt8(1, 65), 'the disk was not unmounted cleanly; run fsck.fat'],
    ['fat12', (bytes: Buffer) => bytes.writeUInt8(1, 37), 'the disk was not unmounted cleanly; run fsck.fat'],
  ])('%s: the tables are all there is, and it is said', async (name, change, note) => {
    const clean = leftOut(await plan(whole(disk(name))));
    const result = await plan(part(name, (bytes) => change(bytes, bytes.readUInt16LE(14) * 512)));
    expect(result.partitions).toMatchObject([{ state: 'dirty', savedAs: 'allocated' }]);
    expect(result.notes).toContain(note);
    expect(leftOut(result)).toEqual(clean);
  });

  test('FAT: what one of the two tables calls used is saved', async () => {
    const clean = leftOut(await plan(whole(disk('fat16')), { minSkipSectors: 0 }));
    const [first = 0] = clean.at(-1) ?? [];
    const result = await plan(
      part('fat16', (bytes) => {
        const second = (bytes.readUInt16LE(14) + bytes.readUInt16LE(22)) * 512;
        bytes.writeUInt16LE(0xffff, second + 4000 * 2);
      }),
      { minSkipSectors: 0 },
    );
    expect(leftOut(result)).toHaveLength(clean.length + 1);
    expect(leftOut(result).at(-2)?.[0]).toBe(first);
    expect(result.notes).toEqual(['the disk has two allocation tables that differ: what either calls used is saved']);
  });

  test('NTFS that is marked dirty', async () => {
    const record = (bytes: Buffer, number: number): number =>
      Number(bytes.readBigUInt64LE(0x30)) * bytes.readUInt8(13) * bytes.readUInt16LE(11) + number * 1024;
    const dirty = await plan(
      part('ntfs', (bytes) => {
        const at = bytes.indexOf(Buffer.from([0x70, 0, 0, 0]), record(bytes, 3));
        bytes.writeUInt16LE(1, at + bytes.readUInt16LE(at + 20) + 10);
      }),
    );
    expect(dirty.partitions).toMatchObject([raw]);
    expect(dirty.notes).toEqual([expect.stringMatching(/^the disk was not unmounted cleanly, .* saved raw; shut Windows down fully/)]);
  });

  describe('NTFS', () => {
    /** The start of $LogFile, which is new in the fixture: filled with 0xff. */
    const logOf = (bytes: Buffer): number => Math.ceil(bytes.indexOf(Buffer.alloc(8192, 0xff)) / 4096) * 4096;
    /** A restart page: how many clients have the log open, and whether it says that it is clean. */
    const restart = (bytes: Buffer, at: number, { lsn = 1, client = 0xffff, flags = 0 }): void => {
      bytes.fill(0, at, at + 4096);
      bytes.write('RSTR', at, 'latin1');
      bytes.writeUInt16LE(0x1e, at + 4);
      bytes.writeUInt16LE(9, at + 6);
      bytes.writeUInt16LE(0x30, at + 0x18);
      bytes.writeUInt32LE(lsn, at + 0x30);
      bytes.writeUInt16LE(client, at + 0x30 + 0xc);
      bytes.writeUInt16LE(flags, at + 0x30 + 0xe);
    };
    const withLog = (...pages: object[]): Promise<unknown> =>
      plan(
        part('ntfs', (bytes) => {
          const log = logOf(bytes);
          for (const [i, page] of pages.entries()) restart(bytes, log + i * 4096, page);
        }),
      ).then(({ partitions }) => partitions[0]?.savedAs);

    test('with a log in use, or whose pages say nothing', async () => {
      expect(await withLog({}, {})).toBe('allocated');
      expect(await withLog({ client: 0, flags: 2 }, { client: 0, flags: 2 })).toBe('allocated');
      expect(await withLog({ client: 0 }, { client: 0 })).toBe('raw');
      expect(await withLog({ lsn: 5, client: 0 }, { lsn: 4 })).toBe('raw');
      expect(await withLog({ lsn: 5 }, { lsn: 4, client: 0 })).toBe('allocated');
      const spoilt = await plan(part('ntfs', (bytes) => bytes.fill(0x20, logOf(bytes), logOf(bytes) + 8192)));
      expect(spoilt.partitions).toMatchObject([raw]);
    });

    test('that sleeps: said, and saved raw if its log is in use', async () => {
      const asleep = (bytes: Buffer): void => void bytes.write('hibr', bytes.indexOf('wake up\n'), 'latin1');
      const result = await plan(part('ntfs', asleep));
      expect(result.partitions).toMatchObject([{ state: 'hibernated', savedAs: 'allocated' }]);
      expect(result.notes).toEqual([expect.stringMatching(/^the disk belongs to a hibernated Windows/)]);
      const busy = await plan(
        part('ntfs', (bytes) => {
          asleep(bytes);
          restart(bytes, logOf(bytes), { client: 0 });
        }),
      );
      expect(busy.partitions).toMatchObject([{ state: 'hibernated', savedAs: 'raw' }]);
    });
  });

  test('swap that holds a sleeping system', async () => {
    const bytes = Buffer.alloc(1024 * 1024);
    bytes.write('S1SUSPEND\0', 4086, 'latin1');
    expect(await plan(bytes)).toMatchObject({
      partitions: [{ fileSystem: 'swap', state: 'hibernated', savedAs: 'raw' }],
      notes: [expect.stringContaining('hibernated system') as unknown],
    });
  });
});
