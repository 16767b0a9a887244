import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesBeyond, partsWithin, Placer, type Extent, type Place, type PlacedWrite } from '../../src/disk/placement.js';

const KIB = 1024;
const place = (change: Partial<Place> = {}): Place => ({
  path: 'sdz',
  limitBytes: 100 * KIB,
  isBlank: false,
  pieceBytes: 3 * KIB,
  ...change,
});

/** What a disk full of `#` holds when the writes are done. */
function written(writes: Iterable<PlacedWrite>, sizeBytes: number): Buffer {
  const disk = Buffer.alloc(sizeBytes, '#');
  for (const { offset, bytes } of writes) disk.set(bytes, offset);
  return disk;
}

/** Extents that do not overlap, in disk order, and their data. */
const layouts = fc.array(fc.tuple(fc.nat(5 * KIB), fc.integer({ min: 1, max: 9 * KIB })), { minLength: 1, maxLength: 8 }).map((sizes) => {
  let [diskOffset, dataOffset] = [0, 0];
  const extents = sizes.map(([gapBytes, sizeBytes]): Extent => {
    const extent = { diskOffset: diskOffset + gapBytes, sizeBytes, dataOffset };
    [diskOffset, dataOffset] = [extent.diskOffset + sizeBytes, dataOffset + sizeBytes + 7]; // data may have more than is placed
    return extent;
  });
  return { extents, data: Buffer.from(Array.from({ length: dataOffset }, (_, i) => 1 + (i % 250))), endBytes: diskOffset };
});

describe('data', () => {
  test('is put where its extents say, however it is cut into pieces', () => {
    fc.assert(
      fc.property(layouts, fc.integer({ min: 1, max: 7 * KIB }), ({ extents, data, endBytes }, cut) => {
        const placer = new Placer(place({ limitBytes: Infinity }));
        const writes: PlacedWrite[] = [];
        for (let at = 0; at < data.byteLength; at += cut) writes.push(...placer.data(extents, at, data.subarray(at, at + cut)));
        const wanted = Buffer.alloc(endBytes, '#');
        for (const { diskOffset, sizeBytes, dataOffset } of extents)
          wanted.set(data.subarray(dataOffset, dataOffset + sizeBytes), diskOffset);
        expect(written(writes, endBytes).equals(wanted)).toBe(true);
        expect(writes.every(({ bytes }) => bytes.byteLength > 0 && bytes.byteLength <= 3 * KIB)).toBe(true);
        expect(placer.stats).toMatchObject({ writes: writes.length, zeroWrites: 0, zeroBytes: 0 });
      }),
    );
  });

  test('that does not fit is refused before any of it is written, or cut off', () => {
    const bytes = Buffer.alloc(8 * KIB, 'x');
    const refused = new Placer(place()).bytes(96 * KIB, bytes);
    expect(() => [...refused]).toThrow(
      expect.objectContaining({ code: 'disk-too-small', message: expect.stringContaining(`at least ${104 * KIB}`) as unknown }),
    );
    const cut = [...new Placer(place({ cutsOff: true })).bytes(96 * KIB, bytes)];
    expect(cut.map(({ offset, bytes: { byteLength } }) => [offset / KIB, byteLength / KIB])).toEqual([
      [96, 3],
      [99, 1],
    ]);
    expect([...new Placer(place({ cutsOff: true })).bytes(200 * KIB, bytes)]).toEqual([]);
    expect(bytesBeyond([{ diskOffset: 96 * KIB, sizeBytes: 8 * KIB, dataOffset: 0 }], 100 * KIB)).toBe(4 * KIB);
    expect(bytesBeyond([{ diskOffset: 200 * KIB, sizeBytes: 8 * KIB, dataOffset: 0 }], 100 * KIB)).toBe(8 * KIB);
  });

  test('of a file that nothing is written to twice has holes for blocks of zeros', () => {
    const bytes = Buffer.alloc(300 * KIB);
    bytes.fill('a', 64 * KIB, 65 * KIB);
    bytes.fill('b', 299 * KIB);
    const spans = (change: Partial<Place>): number[][] =>
      [...new Placer(place({ limitBytes: Infinity, pieceBytes: 1024 * KIB, ...change })).bytes(KIB, bytes)].map(
        ({ offset, bytes: { byteLength } }) => [offset / KIB, byteLength / KIB],
      );
    expect(spans({ isBlank: true, leavesHoles: true })).toEqual([
      [65, 64],
      [257, 44],
    ]);
    expect(spans({ isBlank: true })).toEqual([[1, 300]]); // a damaged chunk may have been there before
  });
});

describe('zero fill', () => {
  test('ends where the place ends, and is counted, but not written to what is blank', () => {
    const placer = new Placer(place());
    expect(
      [...placer.zeros(94 * KIB, 50 * KIB)].map(({ offset, bytes }) => [
        offset / KIB,
        bytes.every((byte) => byte === 0),
        bytes.byteLength / KIB,
      ]),
    ).toEqual([
      [94, true, 3],
      [97, true, 3],
    ]);
    expect([...placer.zeros(100 * KIB, KIB)]).toEqual([]);
    expect(placer.stats).toEqual({ writes: 2, zeroWrites: 2, seeks: 1, zeroBytes: 6 * KIB });
    const blank = new Placer(place({ isBlank: true }));
    expect([...blank.zeros(94 * KIB, 50 * KIB)]).toEqual([]);
    expect(blank.stats).toEqual({ writes: 0, zeroWrites: 0, seeks: 0, zeroBytes: 6 * KIB });
  });

  test('of a place with large pieces comes in pieces as large as there are zeros at hand', () => {
    const writes = [...new Placer(place({ limitBytes: 10_000 * KIB, pieceBytes: 8192 * KIB })).zeros(0, 9000 * KIB)];
    expect(writes.map(({ bytes }) => bytes.byteLength / KIB)).toEqual([4096, 4096, 808]);
  });
});

test('a write that goes on where the one before ended is no seek', () => {
  const placer = new Placer(place());
  const bytes = Buffer.alloc(4 * KIB, 1);
  for (const offset of [0, 4 * KIB, 8 * KIB, 20 * KIB, 0]) for (const write of placer.bytes(offset, bytes)) void write;
  expect(placer.stats).toMatchObject({ writes: 10, seeks: 2 });
});

test('a piece has the parts of the extents that lie in it', () => {
  const extents = [
    { diskOffset: 1000, sizeBytes: 10, dataOffset: 0 },
    { diskOffset: 2000, sizeBytes: 10, dataOffset: 20 },
  ];
  expect([...partsWithin(extents, 5, 20)]).toEqual([
    { diskOffset: 1005, from: 0, to: 5 },
    { diskOffset: 2000, from: 15, to: 20 },
  ]);
});
