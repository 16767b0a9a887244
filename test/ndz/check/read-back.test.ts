import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dataExtents } from '../../../src/ndz/codec/extents.js';
import { SECTOR_BYTES } from '../../../src/disk/sector.js';
import { RELOCATION_SHORT_SECTOR, type ChunkHeader } from '../../../src/ndz/codec/format.js';
import { readPieces, split } from '../../../src/disk/digest.js';
import {
  edgeRegion,
  pickSample,
  rangeOfPick,
  SAMPLE_RANGE_BYTES,
  SAMPLE_RANGES,
  wholeChunk,
  withoutOverlaps,
} from '../../../src/ndz/check/read-back.js';
import { seededRandom } from '../../../src/util/random.js';
import { headerOf } from '../../helpers/bytes.js';

const MAX_PIECES = 14;

/** Chunks with regions of all sizes anywhere below 2 TiB, now and then with a short last sector. */
const chunks = fc
  .tuple(
    fc.integer({ min: 0, max: 1e9 }),
    fc.array(
      fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 3_000_000 }))),
      { minLength: 1, maxLength: 40 },
    ),
    fc.integer({ min: 0, max: 511 }),
  )
  .map(([base, gaps, shortBytes]): ChunkHeader => {
    let at = base;
    const regions = gaps.map(([gap, sectorCount]) => {
      const startSector = at + gap;
      at = startSector + sectorCount;
      return { startSector, sectorCount };
    });
    const relocations = shortBytes === 0 ? [] : [{ type: RELOCATION_SHORT_SECTOR, sector: at - 1, offsetBytes: 0, sizeBytes: shortBytes }];
    return headerOf({ firstSector: base, lastSector: at, regions, relocations });
  });
const ranges = fc.record({
  offset: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((sector) => sector * SECTOR_BYTES),
  sizeBytes: fc.integer({ min: 1, max: 200_000_000 }),
});

describe('reads in blocks', () => {
  test('give exactly a range, in few pieces that no old dd misunderstands', () => {
    fc.assert(
      fc.property(ranges, ({ offset, sizeBytes }) => {
        const pieces = readPieces({ offset, sizeBytes });
        expect(pieces.length).toBeLessThanOrEqual(4);
        let at = offset;
        for (const { blockBytes, skip, count } of pieces) {
          expect(blockBytes * skip).toBe(at);
          expect(Number.isInteger(Math.log2(blockBytes)) && blockBytes <= 1 << 20).toBe(true);
          expect(Number.isInteger(skip) && Number.isInteger(count) && count > 0).toBe(true);
          at += blockBytes * count;
        }
        expect(at).toBe(offset + sizeBytes);
        const reads = pieces.reduce((sum, { count }) => sum + count, 0);
        expect(reads).toBeLessThanOrEqual(4096 + 512 + sizeBytes / 65_536);
      }),
    );
  });

  test('splits ranges into sectors, nothing lost', () => {
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 64 }), (range, count) => {
        const parts = split(range, count);
        expect(parts.length).toBeLessThanOrEqual(count);
        let at = range.offset;
        for (const { offset, sizeBytes } of parts) {
          expect(offset).toBe(at);
          expect(offset % SECTOR_BYTES).toBe(0);
          at += sizeBytes;
        }
        expect(at).toBe(range.offset + range.sizeBytes);
      }),
    );
  });
});

describe('ranges that overlap', () => {
  test('become the same bytes, each once, in disk order', () => {
    const some = fc.array(fc.record({ offset: fc.integer({ min: 0, max: 60 }), sizeBytes: fc.integer({ min: 1, max: 20 }) }), {
      maxLength: 12,
    });
    const bytesOf = (list: readonly { offset: number; sizeBytes: number }[]): number[] =>
      list.flatMap(({ offset, sizeBytes }) => Array.from({ length: sizeBytes }, (_, i) => offset + i));
    fc.assert(
      fc.property(some, (list) => {
        expect(bytesOf(withoutOverlaps(list))).toEqual([...new Set(bytesOf(list))].sort((a, b) => a - b));
      }),
    );
  });
});

describe('everything of a chunk', () => {
  test('is what the chunk writes, in groups that fit a line and are quickly read', () => {
    fc.assert(
      fc.property(chunks, (header) => {
        const groups = wholeChunk(header, MAX_PIECES);
        const joined: { offset: number; sizeBytes: number }[] = [];
        for (const group of groups) {
          expect(group.flatMap(readPieces).length).toBeLessThanOrEqual(MAX_PIECES);
          expect(group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBeLessThanOrEqual(64 << 20);
          for (const { offset, sizeBytes } of group) {
            const last = joined.at(-1);
            if (last && last.offset + last.sizeBytes === offset) last.sizeBytes += sizeBytes;
            else joined.push({ offset, sizeBytes });
          }
        }
        const whole: typeof joined = [];
        for (const { diskOffset, sizeBytes } of dataExtents(header)) {
          const last = whole.at(-1);
          if (last && last.offset + last.sizeBytes === diskOffset) last.sizeBytes += sizeBytes;
          else whole.push({ offset: diskOffset, sizeBytes });
        }
        expect(joined).toEqual(whole);
      }),
    );
  });
});

describe('a sample', () => {
  const images = fc.array(
    fc.integer({ min: 1, max: 40_000 }).map((sectors) => sectors * SECTOR_BYTES),
    { minLength: 1, maxLength: 200 },
  );

  test('is 64 ranges, one in each part of the data, the same for the same seed', () => {
    fc.assert(
      fc.property(images, fc.nat(), (chunkBytes, seed) => {
        const total = chunkBytes.reduce((a, b) => a + b, 0);
        const picks = pickSample(chunkBytes, seededRandom(seed));
        expect(picks).toEqual(pickSample(chunkBytes, seededRandom(seed)));
        if (total >= SAMPLE_RANGES * SECTOR_BYTES) expect(picks).toHaveLength(SAMPLE_RANGES);
        const starts = chunkBytes.map((_, position) => chunkBytes.slice(0, position).reduce((a, b) => a + b, 0));
        const parts = new Set<number>();
        for (const { position, dataOffset } of picks) {
          expect(dataOffset % SECTOR_BYTES).toBe(0);
          expect(dataOffset).toBeLessThan(chunkBytes[position] ?? 0);
          const start = (starts[position] ?? 0) + dataOffset;
          parts.add(
            Array.from(
              { length: SAMPLE_RANGES },
              (_, part) => Math.floor((part * total) / SECTOR_BYTES / SAMPLE_RANGES) * SECTOR_BYTES,
            ).findLastIndex((from) => from <= start),
          );
        }
        expect(parts.size).toBe(picks.length);
      }),
    );
  });

  test('is as likely to read one sector as another', () => {
    const regions = [
      { startSector: 0, sectorCount: 700 },
      { startSector: 1_000, sectorCount: 8 },
      { startSector: 2_000, sectorCount: 1_340 },
    ];
    const header = headerOf({ lastSector: 3_340, regions });
    const reads = new Map<number, number>();
    for (let seed = 0; seed < 300; seed++) {
      for (const pick of pickSample(
        Array.from({ length: 40 }, () => 1 << 20),
        seededRandom(seed),
      )) {
        const range = pick.position === 17 ? rangeOfPick(header, pick) : null;
        for (let at = range?.offset ?? 0; range && at < range.offset + range.sizeBytes; at += SECTOR_BYTES)
          reads.set(at, (reads.get(at) ?? 0) + 1);
      }
    }
    // a block of 512 sectors is met in 64 x 256 KiB of 40 MiB, smaller ones by their size less often
    for (const [sector, block] of [
      [0, 512],
      [511, 512],
      [512, 188],
      [2_000, 512],
      [2_511, 512],
      [3_339, 316],
    ] as const) {
      const expected = (300 * SAMPLE_RANGES * block) / (40 * 2_048);
      expect(Math.abs((reads.get(sector * SECTOR_BYTES) ?? 0) - expected), String(sector)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });

  test('stays inside what a chunk writes, and reads its edges', () => {
    fc.assert(
      fc.property(chunks, fc.nat(), (header, place) => {
        const total = header.regions.reduce((sum, { sectorCount }) => sum + sectorCount, 0);
        const extents = dataExtents(header);
        const inside = (range: { offset: number; sizeBytes: number }): boolean =>
          extents.some(
            ({ diskOffset, sizeBytes }) => range.offset >= diskOffset && range.offset + range.sizeBytes <= diskOffset + sizeBytes,
          );
        const range = rangeOfPick(header, { position: 0, dataOffset: (place % total) * SECTOR_BYTES });
        expect(range !== null && range.sizeBytes > 0 && range.sizeBytes <= SAMPLE_RANGE_BYTES && inside(range)).toBe(true);
        const [first, last] = [edgeRegion(header, 'first'), edgeRegion(header, 'last')];
        expect([...first, ...last].every(inside)).toBe(true);
        expect(first[0]?.offset).toBe(extents[0]?.diskOffset);
        const end = last.at(-1);
        expect((end?.offset ?? 0) + (end?.sizeBytes ?? 0)).toBe((extents.at(-1)?.diskOffset ?? 0) + (extents.at(-1)?.sizeBytes ?? 0));
        expect([...first, ...last].every(({ offset }) => offset % SECTOR_BYTES === 0)).toBe(true);
      }),
    );
  });
});
