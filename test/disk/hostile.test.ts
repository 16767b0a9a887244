import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/util/errors.js';
import { disk, diskNames, expected, faultOf, isWithin, leftOut, PARTITION_BYTES, plan } from '../helpers/disks.js';

/** More with IMAGING_FUZZ_RUNS, for a night. */
const RUNS = Number(process.env.IMAGING_FUZZ_RUNS ?? 60);
const SECTOR = 512;
const CHECKED = ['ext4', 'ext4-4k', 'ext4-meta-bg', 'ext4-bigalloc', 'ext4-sparse2'];

type Change = { offset: number; bytes: Uint8Array };

/** Changes to what is in use, most of them near the beginnings of things. */
function changes(name: string, from: number, size: number): fc.Arbitrary<Change[]> {
  const free = expected[name] ?? [];
  const isUsed = (offset: number): boolean => !free.some(([first, end]) => offset >= first * SECTOR && offset < end * SECTOR);
  const offset = fc
    .oneof(
      { weight: 4, arbitrary: fc.integer({ min: from, max: from + 16_384 }) },
      {
        weight: 2,
        arbitrary: fc
          .integer({ min: 0, max: Math.floor((size - from) / 1024) - 1 })
          .chain((block) => fc.nat(63).map((at) => from + block * 1024 + at)),
      },
      { weight: 1, arbitrary: fc.integer({ min: from, max: size - 8 }) },
    )
    .filter((at) => at < size - 8 && isUsed(at));
  const value = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 4 }),
    fc
      .constantFrom([0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 255, 127], [0, 0, 0, 128], [1, 0, 0, 0], [0], [255])
      .map((bytes) => Uint8Array.from(bytes)),
  );
  return fc.array(fc.record({ offset, bytes: value }), { minLength: 1, maxLength: 4 });
}

/** Runs `work` on the disk with the changes, and takes them back: a copy of a disk takes longer than the plan. */
async function withChanges<T>(bytes: Buffer, list: Change[], work: () => Promise<T>): Promise<T> {
  const before = list.map(({ offset, bytes: value }) => Buffer.from(bytes.subarray(offset, offset + value.length)));
  for (const { offset, bytes: value } of list) bytes.set(value, offset);
  try {
    return await work();
  } finally {
    for (const [i, { offset }] of [...list.entries()].reverse()) bytes.set(before[i] ?? [], offset);
  }
}

describe('whatever a disk says', () => {
  test.each(diskNames)('%s: there is a plan within the disk, or a clear failure', { timeout: 600_000 }, async (name) => {
    const bytes = disk(name);
    await fc.assert(
      fc.asyncProperty(
        changes(name, 0, bytes.byteLength),
        fc.constantFrom({}, { minSkipSectors: 0 }, { slice: 1 }, { bare: 'any' as const }),
        async (list, options) => {
          try {
            const result = await withChanges(bytes, list, () => plan(bytes, options));
            expect(faultOf(result.ranges, result.diskSectors)).toBeNull();
            expect(result.ranges.length).toBeGreaterThan(0);
            for (const { usedBytes, totalBytes } of result.partitions) expect(usedBytes).toBeLessThanOrEqual(totalBytes);
          } catch (error) {
            if (!(error instanceof Failure)) throw error;
            expect(error.code).toBe('slice-missing');
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  // every number that these readers go by is under a checksum; the first GPT has a copy
  test.each([...CHECKED, 'gpt'])('%s: what is in use is saved whatever has changed', { timeout: 600_000 }, async (name) => {
    const bytes = disk(name);
    const free = expected[name] ?? [];
    const [from, end] = name === 'gpt' ? [SECTOR, 34 * SECTOR] : [PARTITION_BYTES, bytes.byteLength];
    await fc.assert(
      fc.asyncProperty(changes(name, from, end), async (list) => {
        const result = await withChanges(bytes, list, () => plan(bytes, { minSkipSectors: 0 }));
        expect(isWithin(leftOut(result), free)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
