import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../../src/util/errors.js';
import {
  decodeChunkHeader,
  encodeChunkHeader,
  endOfRegions,
  HEADER_BYTES,
  inflatedBytes,
  MAX_REGIONS,
  type ChunkHeader,
  type ChunkVersion,
} from '../../../src/ndz/codec/format.js';
import { chunksOf, fixture, headerOf } from '../../helpers/images.js';

describe('headers the 2015 imagezip wrote', () => {
  test.each([
    [
      'ext4',
      {
        version: 4,
        sizeBytes: 103_100,
        firstSector: 0,
        lastSector: 32_768,
        regions: [
          [0, 6524],
          [18_434, 114],
        ],
        uuid: '000102030405060708090a0b0c0d0e0f',
      },
    ],
    [
      'ext4-v3',
      {
        version: 3,
        sizeBytes: 103_100,
        firstSector: 0,
        lastSector: 32_768,
        regions: [
          [0, 6524],
          [18_434, 114],
        ],
        uuid: null,
      },
    ],
    [
      'ext4-v1',
      {
        version: 1,
        sizeBytes: 103_100,
        firstSector: 0,
        lastSector: 18_548,
        regions: [
          [0, 6524],
          [18_434, 114],
        ],
        uuid: null,
      },
    ],
    [
      'gpt',
      {
        version: 4,
        sizeBytes: 103_378,
        firstSector: 0,
        lastSector: 36_864,
        regions: [
          [0, 6524],
          [18_434, 114],
          [36_831, 33],
        ],
        uuid: '000102030405060708090a0b0c0d0e0f',
      },
    ],
  ])('%s', (name, { regions, ...rest }) => {
    const header = decodeChunkHeader(fixture(name));
    expect(header).toMatchObject({ ...rest, index: 0, relocations: [], checksumType: 'none', checksum: null, cipher: 'none' });
    expect(header.regions).toEqual(regions.map(([startSector, sectorCount]) => ({ startSector, sectorCount })));
    expect(header.total).toBe(name === 'ext4-v1' ? 1 : 0);
  });

  test('has a SHORTSECTOR relocation for a file of odd size', () => {
    expect(decodeChunkHeader(fixture('file-odd')).relocations).toEqual([{ type: 6, sector: 136, offsetBytes: 0, sizeBytes: 369 }]);
  });

  test('fills the header area with regions, and goes on in the next chunk', () => {
    const headers = chunksOf(fixture('frag-ext2-F0')).map((chunk) => decodeChunkHeader(chunk));
    expect(headers.map(({ regions, firstSector, lastSector }) => [regions.length, firstSector, lastSector])).toEqual([
      [469, 0, 10_342],
      [469, 10_342, 26_252],
      [365, 26_252, 65_536],
    ]);
  });

  test.each(['ext4', 'ext4-v3', 'ext4-v1', 'file-odd', 'frag-ext2-F0'])('%s: encodes to the same bytes', (name) => {
    const image = fixture(name);
    expect(Buffer.compare(encodeChunkHeader(decodeChunkHeader(image)), image.subarray(0, HEADER_BYTES))).toBe(0);
  });
});

const arbitraryHeader: fc.Arbitrary<ChunkHeader> = fc
  .record({
    version: fc.constantFrom<ChunkVersion>(1, 2, 3, 4),
    index: fc.nat(),
    before: fc.nat(1000),
    after: fc.nat(1000),
    steps: fc.array(fc.tuple(fc.nat(100_000), fc.integer({ min: 1, max: 2000 })), { minLength: 1, maxLength: MAX_REGIONS - 4 }),
    endMark: fc.option(fc.record({ chunkCount: fc.nat() })),
    signed: fc.boolean(),
    checksum: fc.option(fc.uint8Array({ minLength: 64, maxLength: 64 })),
    cipher: fc.constantFrom('none' as const, 'blowfish' as const),
    uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    shortBytes: fc.option(fc.integer({ min: 1, max: 511 })),
  })
  .map(({ version, index, before, after, steps, endMark, signed, checksum, cipher, uuid, shortBytes }) => {
    let sector = before;
    const regions = steps.map(([gap, sectorCount]) => {
      const startSector = sector + gap;
      sector = startSector + sectorCount;
      return { startSector, sectorCount };
    });
    const hasIdentity = version === 4;
    const checksumType = !hasIdentity || !checksum ? 'none' : signed ? 'sha1-signed' : 'sha1';
    return {
      version,
      index,
      regions,
      total: 0,
      sizeBytes: 1_044_480,
      firstSector: version === 1 ? (regions[0]?.startSector ?? 0) : before,
      lastSector: version === 1 ? sector : sector + after,
      relocations: version === 1 || shortBytes === null ? [] : [{ type: 6, sector: sector - 1, offsetBytes: 0, sizeBytes: shortBytes }],
      checksumType,
      checksum: checksumType === 'none' || !checksum ? null : checksum.subarray(0, checksumType === 'sha1' ? 20 : 64),
      cipher: hasIdentity ? cipher : 'none',
      uuid: hasIdentity ? Buffer.from(uuid).toString('hex') : null,
      endMark,
    };
  });

describe('any header', () => {
  test('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(arbitraryHeader, (header) => {
        expect(decodeChunkHeader(encodeChunkHeader(header))).toEqual(header);
      }),
    );
  });

  test('is decoded whatever lies before it in memory', () => {
    const bytes = encodeChunkHeader(headerOf());
    const shifted = Buffer.concat([Buffer.alloc(7, 0xff), bytes]).subarray(7);
    expect(decodeChunkHeader(shifted)).toEqual(headerOf());
  });
});

describe('hostile bytes', () => {
  /** A header that may be acted on, or a Failure of ours. */
  const survives = (bytes: Uint8Array): void => {
    try {
      const header = decodeChunkHeader(bytes, 5);
      const starts = header.regions.map(({ startSector }) => startSector);
      const ends = header.regions.map(({ startSector, sectorCount }) => startSector + sectorCount);
      expect(starts.every((start, i) => start >= (ends[i - 1] ?? header.firstSector))).toBe(true);
      expect(endOfRegions(header.regions)).toBeLessThanOrEqual(header.lastSector);
      expect(header.lastSector).toBeLessThanOrEqual(0xffff_ffff);
      expect(header.sizeBytes).toBeGreaterThan(0);
      expect(header.sizeBytes).toBeLessThanOrEqual(1_044_480);
      expect(inflatedBytes(header)).toBeGreaterThan(0);
      expect(inflatedBytes(header)).toBeLessThanOrEqual(1_044_480 * 1032);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      expect(error.code).toMatch(/^ndz-/);
      expect(error.message).toContain('chunk 5');
    }
  };

  test('never do more than fail', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES }), survives));
    const magics = fc.constantFrom(0x69, 0x6a, 0x6b, 0x6c);
    fc.assert(
      fc.property(magics, fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES }), (magic, bytes) => {
        bytes.set([magic, 0x69, 0x69, 0x69]);
        survives(bytes);
      }),
    );
  });

  test('in a header that was right survive too', () => {
    const change = fc.array(fc.tuple(fc.nat(399), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(arbitraryHeader, change, (header, changes) => {
        const bytes = encodeChunkHeader(header);
        for (const [offset, value] of changes) bytes[offset] = value;
        survives(bytes);
      }),
      { numRuns: 500 },
    );
  });

  test('of any length below a header are told as truncated', () => {
    const bytes = encodeChunkHeader(headerOf());
    for (let length = 0; length < HEADER_BYTES; length += 1) {
      expect(() => decodeChunkHeader(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'ndz-truncated' }));
    }
  });

  const word =
    (offset: number, value: number) =>
    (bytes: DataView): void =>
      bytes.setUint32(offset, value, true);
  test.each([
    ['magic', word(0, 0x6969_696d), 'ndz-bad-magic', 'starts with 0x6969696d'],
    ['no stream', word(4, 0), 'ndz-bad-header', 'size is 0, not 1 to 1044480'],
    ['a stream beyond the chunk', word(4, 1_044_481), 'ndz-bad-header', 'size is 1044481'],
    ['a negative number', word(8, 0xffff_ffff), 'ndz-bad-header', 'blockindex is -1'],
    ['another header size', word(16, 8192), 'ndz-bad-header', 'regionsize is 8192, not 4096'],
    ['no regions', word(20, 0), 'ndz-bad-header', 'regioncount is 0, not 1 to 469'],
    ['too many regions', word(20, 470), 'ndz-bad-header', 'regioncount is 470'],
    ['more relocations than fit', word(32, 235), 'ndz-bad-header', 'reloccount is 235, not 0 to 234'],
    ['negative relocations', word(32, 0x8000_0000), 'ndz-bad-header', 'reloccount is -2147483648'],
    ['a cipher nobody knows', (bytes: DataView) => bytes.setUint16(36, 2, true), 'ndz-bad-header', 'enc_cipher is 2'],
    ['a checksum nobody knows', (bytes: DataView) => bytes.setUint16(38, 2, true), 'ndz-bad-header', 'csum_type is 2'],
    ['an empty region', word(348, 0), 'ndz-bad-header', 'region 0 is empty'],
    ['a region beyond 2 TiB', word(344, 0xffff_fffe), 'ndz-bad-header', 'region 0 ends at sector 4294967302, beyond 2 TiB'],
    ['a region before the first sector', word(24, 1), 'ndz-bad-header', 'firstsect is 1, after the first region (sector 0)'],
    ['a region after the last sector', word(28, 7), 'ndz-bad-header', 'lastsect is 7, before the end of the last region (sector 8)'],
    [
      'regions no stream can hold',
      (bytes: DataView) => {
        word(348, 202)(bytes);
        word(28, 202)(bytes);
      },
      'ndz-bad-header',
      'the regions have 103424 bytes, more than a stream of 100 bytes',
    ],
  ])('%s', (_, damage, code, message) => {
    const bytes = encodeChunkHeader(headerOf());
    damage(new DataView(bytes.buffer));
    expect(() => decodeChunkHeader(bytes, 5)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(`chunk 5: ${message}`) as unknown }),
    );
  });

  test.each([
    [{ type: 6, sector: 8, offsetBytes: 0, sizeBytes: 5 }, 'names sector 8, which ends no region'],
    [{ type: 6, sector: 7, offsetBytes: 0, sizeBytes: 512 }, 'keeps 512 bytes at offset 0'],
    [{ type: 6, sector: 7, offsetBytes: 4, sizeBytes: 5 }, 'keeps 5 bytes at offset 4'],
  ])('a SHORTSECTOR relocation that %o', (relocation, message) => {
    const bytes = encodeChunkHeader(headerOf({ relocations: [relocation] }));
    expect(() => decodeChunkHeader(bytes)).toThrow(
      expect.objectContaining({ code: 'ndz-bad-header', message: expect.stringContaining(message) as unknown }),
    );
  });

  test('overlapping regions', () => {
    const bytes = encodeChunkHeader(
      headerOf({
        regions: [
          { startSector: 0, sectorCount: 4 },
          { startSector: 3, sectorCount: 5 },
        ],
      }),
    );
    expect(() => decodeChunkHeader(bytes)).toThrow(/region 1 starts at sector 3, before the end of the region ahead of it \(4\)/);
  });
});

test('refuses to encode more than fits', () => {
  const regions = Array.from({ length: MAX_REGIONS + 1 }, (_, i) => ({ startSector: 2 * i, sectorCount: 1 }));
  expect(() => encodeChunkHeader(headerOf({ regions }))).toThrow(RangeError);
  expect(() => encodeChunkHeader(headerOf({ regions: regions.slice(1) }))).not.toThrow();
});
