import { describe, expect, test } from 'vitest';
import { disk, expected, leftOut, plan } from '../../helpers/disks.js';
import { writeGpt, writeMbr, type MbrEntry } from '../../helpers/partition-tables.js';

const MIB = 1024 * 1024;
const SECTORS = (8 * MIB) / 512;

/** 8 MiB of swap partitions, whose free space is easily seen. */
function swapDisk(starts: number[]): Buffer {
  const bytes = Buffer.alloc(8 * MIB);
  for (const start of starts) {
    bytes.write('SWAPSPACE2', start * 512 + 4086, 'latin1');
    bytes.writeUInt32LE(1, start * 512 + 1024);
  }
  return bytes;
}

const bytesOf = (mbr: MbrEntry[], starts: number[], chain: [number, MbrEntry[]][] = []): Buffer => {
  const bytes = swapDisk(starts);
  writeMbr(bytes, 0, mbr);
  for (const [sector, entries] of chain) writeMbr(bytes, sector, entries);
  return bytes;
};
const everything = (bytes: Buffer): unknown => [{ startSector: 0, endSector: bytes.byteLength / 512 }];

describe('a master boot record', () => {
  test('leaves out what is free in its partitions and behind them, and nothing before or between', async () => {
    const result = await plan(
      bytesOf(
        [
          { type: 0x82, start: 64, count: 1000 },
          { type: 0x82, start: 2000, count: 1000 },
        ],
        [64, 2000],
      ),
    );
    expect(result).toMatchObject({ table: 'mbr', baseSector: 0, diskSectors: SECTORS, notes: [], unused: [3, 4] });
    expect(leftOut(result)).toEqual([
      [128, 1064],
      [2064, SECTORS],
    ]);
    expect(result.partitions.map(({ number, startSector, fileSystem, savedAs }) => [number, startSector, fileSystem, savedAs])).toEqual([
      [1, 64, 'swap', 'header-only'],
      [2, 2000, 'swap', 'header-only'],
    ]);
  });

  test('keeps the boot area with all four entries in use, in any order', async () => {
    const entries = [3000, 1000, 4000, 2000].map((start) => ({ type: 0x82, start, count: 1000 }));
    const result = await plan(bytesOf(entries, [1000, 2000, 3000, 4000]));
    expect(leftOut(result)).toEqual([
      [1064, 2000],
      [2064, 3000],
      [3064, 4000],
      [4064, SECTORS],
    ]);
  });

  test.each([0x05, 0x0f, 0x85])('follows the chain in an extended partition of type %d', async (type) => {
    const bytes = bytesOf(
      [
        { type: 0x82, start: 64, count: 1000 },
        { type, start: 1100, count: 6000 },
      ],
      [64, 1200, 3200, 5200],
      [
        [
          1100,
          [
            { type: 0x82, start: 100, count: 1000 },
            { type: 5, start: 2000, count: 2000 },
          ],
        ],
        [
          3100,
          [
            { type: 0x82, start: 100, count: 1000 },
            { type: 0x0f, start: 4000, count: 2000 },
          ],
        ],
        [5100, [{ type: 0x82, start: 100, count: 1000 }]],
      ],
    );
    const result = await plan(bytes);
    expect(result.partitions.map(({ number, startSector, sectorCount }) => [number, startSector, sectorCount])).toEqual([
      [1, 64, 1000],
      [5, 1200, 1000],
      [6, 3200, 1000],
      [7, 5200, 1000],
    ]);
    expect(leftOut(result)).toEqual([
      [128, 1064],
      [1264, 2200],
      [3264, 4200],
      [5264, SECTORS],
    ]);
    expect(result).toMatchObject({ notes: [], unused: [3, 4] });
  });

  test('keeps a link of the chain that lies behind the last partition', async () => {
    const result = await plan(
      bytesOf(
        [{ type: 5, start: 1000, count: 8000 }],
        [1100],
        [
          [
            1000,
            [
              { type: 0x82, start: 100, count: 1000 },
              { type: 5, start: 5000, count: 2000 },
            ],
          ],
          [6000, []],
        ],
      ),
    );
    expect(leftOut(result)).toEqual([
      [1164, 6000],
      [6001, SECTORS],
    ]);
  });

  test.each([
    ['leads back to its start', { type: 5, start: 0, count: 10 }],
    ['leads out of the extended partition', { type: 5, start: 6001, count: 10 }],
    ['leads to what is no link', { type: 5, start: 3000, count: 10 }],
    ['leads far out', { type: 5, start: 0xffff_ffff, count: 0xffff_ffff }],
  ])('saves all of an extended partition whose chain %s', async (_, next) => {
    const result = await plan(
      bytesOf([{ type: 5, start: 1000, count: 6000 }], [1100], [[1000, [{ type: 0x82, start: 100, count: 1000 }, next]]]),
    );
    expect(leftOut(result)).toEqual([
      [1164, 2100],
      [7000, SECTORS],
    ]);
    expect(result.notes).toEqual(['the chain of logical partitions in extended partition 1 is broken; what it may have held is saved']);
  });

  test('follows a long chain so far', async () => {
    const links = Array.from({ length: 300 }, (_, i): [number, MbrEntry[]] => [
      1000 + 20 * i,
      [
        { type: 0x83, start: 2, count: 10 },
        { type: 5, start: 20 * (i + 1), count: 20 },
      ],
    ]);
    const result = await plan(bytesOf([{ type: 5, start: 1000, count: 10_000 }], [], links));
    expect(result.partitions).toHaveLength(256);
    expect(leftOut(result)).toEqual([[11_000, SECTORS]]);
  });

  test.each([
    [
      'partitions 1 and 2 overlap',
      [
        { type: 0x82, start: 64, count: 1000 },
        { type: 0x82, start: 1063, count: 1000 },
      ],
    ],
    ["partition 1 begins behind the disk's end", [{ type: 0x82, start: SECTORS, count: 1000 }]],
    ['a logical partition lies outside its extended partition', [{ type: 5, start: 1000, count: 50 }]],
  ])('is not trusted when %s', async (words, entries) => {
    const bytes = bytesOf(entries, [64], [[1000, [{ type: 0x82, start: 100, count: 1000 }]]]);
    const result = await plan(bytes);
    expect(result.ranges).toEqual(everything(bytes));
    expect(result.notes).toEqual([`the disk is saved raw: ${words}`]);
    await expect(plan(bytes, { slice: 1 })).rejects.toMatchObject({ code: 'slice-missing' });
  });

  test('may have a partition that ends behind the disk, which is then saved whole', async () => {
    const bytes = bytesOf([{ type: 0x83, start: 2048, count: 2 * SECTORS }], []);
    const result = await plan(bytes);
    expect(result.ranges).toEqual(everything(bytes));
    expect(result.notes[0]).toBe(`partition 1 ends ${2048 + SECTORS} sectors behind the disk's end`);
  });

  test('is none when its entries have code in them, or one begins at 0', async () => {
    for (const entries of [[{ flag: 0x33, type: 0x82, start: 64, count: 1000 }], [{ type: 0x82, start: 0, count: 1000 }], []]) {
      const bytes = bytesOf(entries, []);
      const result = await plan(bytes);
      expect(result).toMatchObject({ table: null, ranges: everything(bytes) as never });
      expect(result.notes[0]).toBe('the disk has no partition table, and is not one file system either');
    }
  });

  test('is not trusted beside a file system that fills the disk', async () => {
    const ext = disk('ext2').subarray(2048 * 512);
    writeMbr(ext, 0, [{ type: 0x83, start: 2048, count: 1000 }]);
    const result = await plan(ext);
    expect(result.notes).toEqual(['the disk is saved raw: it has a partition table, and looks like one ext as well']);
    expect(leftOut(result)).toEqual([]);
  });

  test('is kept up to the end on a dynamic disk of Windows, whose database is there', async () => {
    const result = await plan(bytesOf([{ type: 0x42, start: 64, count: 1000 }], []));
    expect(leftOut(result)).toEqual([]);
  });

  test('keeps what an entry without a type names, as Linux has a partition there', async () => {
    const result = await plan(
      bytesOf(
        [
          { type: 0x82, start: 64, count: 1000 },
          { type: 0, start: 4000, count: 1000 },
        ],
        [64],
      ),
    );
    expect(leftOut(result)).toEqual([
      [128, 1064],
      [5000, SECTORS],
    ]);
    expect(result).toMatchObject({
      unused: [3, 4],
      partitions: [{ number: 1 }],
      notes: ['entry 2 of the partition table has a size but no type; what lies there is saved'],
    });
    const logical = await plan(
      bytesOf(
        [{ type: 5, start: 1000, count: 6000 }],
        [1100],
        [
          [
            1000,
            [
              { type: 0x82, start: 100, count: 1000 },
              { type: 0, start: 3000, count: 100 },
            ],
          ],
        ],
      ),
    );
    expect(leftOut(logical)).toEqual([
      [1164, 2100],
      [7000, SECTORS],
    ]);
  });

  test('wins over a stale boot sector that it was written into', async () => {
    const fat = disk('fat16').subarray(2048 * 512);
    writeMbr(fat, 0, [{ type: 0x83, start: 4096, count: 1000 }]);
    expect(await plan(fat)).toMatchObject({ table: 'mbr', partitions: [{ startSector: 4096 }] });
  });
});

describe('a GUID partition table', () => {
  const gpt = (changes = {}): Buffer => {
    const bytes = swapDisk([4096, 1024]);
    writeGpt(
      bytes,
      [
        { first: 4096, last: 5095 },
        { first: 1024, last: 2023 },
      ],
      changes,
    );
    return bytes;
  };
  const gaps = [
    [1088, 2024],
    [4160, SECTORS - 33],
  ];

  test('keeps what the MBR names besides, behind its last partition', async () => {
    const bytes = gpt();
    writeMbr(bytes, 0, [
      { type: 0xee, start: 1, count: 4095 },
      { type: 0x0c, start: 6000, count: 1000 },
    ]);
    expect(leftOut(await plan(bytes))).toEqual([
      [1088, 2024],
      [4160, 5096],
      [7000, SECTORS - 33],
    ]);
  });

  test('keeps its copy, the area before its first partition, and gaps', async () => {
    const result = await plan(gpt());
    expect(result).toMatchObject({
      table: 'gpt',
      notes: [],
      partitions: [
        { number: 1, startSector: 4096, typeName: 'Linux' },
        { number: 2, startSector: 1024 },
      ],
    });
    expect(leftOut(result)).toEqual(gaps);
  });

  test.each([512, 512 + 16, 512 + 24, 512 + 72, 512 + 80, 512 + 84, 1024 + 40])(
    'is read from its copy when byte %d has changed',
    async (offset) => {
      const bytes = gpt();
      bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x11, offset);
      const result = await plan(bytes);
      expect(leftOut(result)).toEqual(gaps);
      expect(result.notes).toEqual(['the partition table (GPT) is broken; its copy at the end of the disk was used']);
    },
  );

  test('leads to the whole disk when its copy is broken as well', async () => {
    const bytes = gpt();
    bytes.writeUInt8(1, 512 + 60);
    bytes.writeUInt8(1, bytes.byteLength - 512 + 60);
    const result = await plan(bytes);
    expect(result.notes).toEqual(['the disk is saved raw: its partition table is a GPT, and both copies of that are broken']);
    expect(result.ranges).toEqual(everything(bytes));
  });

  test('is stale when the MBR does not speak of it', async () => {
    const bytes = gpt();
    bytes.fill(0, 446, 510);
    writeMbr(bytes, 0, [{ type: 0x82, start: 1024, count: 100 }]);
    expect(await plan(bytes)).toMatchObject({ table: 'mbr', partitions: [{ sectorCount: 100 }] });
  });

  test('keeps its copy where the disk was smaller', async () => {
    const bytes = Buffer.concat([gpt(), Buffer.alloc(8 * MIB)]);
    expect(leftOut(await plan(bytes))).toEqual([gaps[0], [4160, SECTORS - 33], [SECTORS, 2 * SECTORS - 33]]);
  });

  test('has sectors of 4096 bytes on some disks', async () => {
    const bytes = swapDisk([2048]);
    writeGpt(bytes, [{ first: 256, last: 511 }], { sectorBytes: 4096 });
    const result = await plan(bytes);
    expect(result.partitions).toMatchObject([{ startSector: 2048, sectorCount: 2048 }]);
    expect(leftOut(result)).toEqual([[2112, SECTORS - 40]]);
  });

  test('may have larger and more entries', async () => {
    expect(leftOut(await plan(gpt({ entryBytes: 256, entryCount: 200 })))).toEqual([gaps[0], [4160, SECTORS - 101]]);
  });

  test.each([
    [
      'partitions 1 and 2 overlap',
      [
        { first: 64, last: 999 },
        { first: 999, last: 1999 },
      ],
    ],
    ['partition 1 ends before it begins', [{ first: 64, last: 62 }]],
    ["partition 1 begins behind the disk's end", [{ first: 2 ** 40, last: 2 ** 41 }]],
  ])('is not trusted when %s', async (words, entries) => {
    const bytes = swapDisk([]);
    writeGpt(bytes, entries);
    expect((await plan(bytes)).notes).toEqual([`the disk is saved raw: ${words}`]);
  });

  test.each([
    [0xffff_ffff, 128],
    [128, 0],
    [1, 64],
    [4, 2 ** 31],
  ])('with %d entries of %d bytes is broken, whatever its checksums', async (entryCount, entryBytes) => {
    const bytes = swapDisk([]);
    writeGpt(bytes, []);
    const { crc32 } = await import('node:zlib');
    for (const at of [512, bytes.byteLength - 512]) {
      bytes.writeUInt32LE(entryCount, at + 80);
      bytes.writeUInt32LE(entryBytes, at + 84);
      bytes.writeUInt32LE(0, at + 16);
      bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 92)), at + 16);
    }
    expect((await plan(bytes)).notes).toEqual(['the disk is saved raw: its partition table is a GPT, and both copies of that are broken']);
  });
});

describe('asked for', () => {
  test('a slice: ranges count from its start', async () => {
    const bytes = disk('ext4');
    const result = await plan(bytes, { slice: 1, minSkipSectors: 0 });
    expect(result).toMatchObject({ baseSector: 2048, diskSectors: 24_576, partitions: [{ number: 1, fileSystem: 'ext4' }] });
    const inside = (expected.ext4 ?? []).map(([first, end]) => [first - 2048, Math.min(end - 2048, 24_576)]);
    expect(leftOut(result)).toEqual(inside);
  });

  test.each([2, 5, 0])('a slice that is not there (%d): says which there are', async (slice) => {
    await expect(plan(disk('ext2'), { slice })).rejects.toMatchObject({
      code: 'slice-missing',
      message: expect.stringContaining('it has partitions 1') as unknown,
    });
  });

  test('a slice of a disk without a table', async () => {
    await expect(plan(Buffer.alloc(MIB), { slice: 1 })).rejects.toMatchObject({
      code: 'slice-missing',
      message: expect.stringContaining('no partition table') as unknown,
    });
  });

  test('raw: everything, one partition, a slice', async () => {
    const bytes = disk('extended');
    expect(leftOut(await plan(bytes, { raw: true }))).toEqual([]);
    const one = await plan(bytes, { raw: [5] });
    expect(one.partitions.map(({ number, savedAs }) => [number, savedAs])).toEqual([
      [1, 'allocated'],
      [5, 'raw'],
      [6, 'allocated'],
      [7, 'raw'],
    ]);
    expect(leftOut(one).some(([first]) => first >= 12_288 && first < 16_384)).toBe(false);
    expect(leftOut(await plan(bytes, { raw: true, slice: 1 }))).toEqual([]);
  });

  test('a partition left out', async () => {
    const result = await plan(disk('extended'), { skip: [6, 9] });
    expect(result.partitions[2]).toMatchObject({ number: 6, savedAs: 'skipped', usedBytes: 0 });
    expect(leftOut(result)).toContainEqual([20_480, 26_624]);
    expect(result.notes).toEqual(expect.arrayContaining(['partition 6 is left out, as asked', 'there is no partition 9, which was named']));
  });

  test('short free runs are saved, unless asked otherwise', async () => {
    const bytes = disk('ext4');
    const usual = leftOut(await plan(bytes));
    expect(usual).toEqual((expected.ext4 ?? []).filter(([first, end]) => end - first >= 64));
    expect(leftOut(await plan(bytes, { minSkipSectors: 1000 })).every(([first, end]) => end - first >= 1000)).toBe(true);
  });

  test('a bare file system of a kind that is not there', async () => {
    const part = disk('ext2').subarray(2048 * 512, 14_336 * 512);
    expect(await plan(part, { bare: 'ext' })).toMatchObject({ table: null, partitions: [{ number: 0, fileSystem: 'ext2' }], notes: [] });
    await expect(plan(part, { bare: 'ntfs' })).rejects.toMatchObject({ code: 'file-system-missing' });
  });

  test('stops when told to', async () => {
    await expect(plan(disk('ext2'), { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

describe('a disk that ends in the middle of a sector', () => {
  test('keeps that sector, which alone can tell its size', async () => {
    const bytes = Buffer.concat([disk('ext2'), Buffer.alloc(100)]);
    const { ranges, diskSectors } = await plan(bytes);
    expect(ranges.at(-1)).toEqual({ startSector: diskSectors - 1, endSector: diskSectors });
  });

  test.each([0, 1, 511, 512, 1024, 5000])('of %d bytes', async (size) => {
    const { ranges, diskSectors } = await plan(Buffer.alloc(size));
    expect(ranges).toEqual(size === 0 ? [] : [{ startSector: 0, endSector: diskSectors }]);
  });
});
