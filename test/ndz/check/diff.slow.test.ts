import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffImages, type DiffKind } from '../../../src/ndz/check/diff.js';
import type { SectorRange } from '../../../src/disk/sector.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { descriptorsOf, fixture, temporaryFolder } from '../../helpers/images.js';

const MIB = 1024 * 1024;

/** A disk of 8 MiB with partitions from 1 to 3 MiB and from 3 to 7 MiB. */
function disk(): Buffer {
  const bytes = Buffer.alloc(8 * MIB, 'some content ');
  bytes.fill(0, 446, 510);
  for (const [number, start, count] of [
    [0, 2048, 4096],
    [1, 6144, 8192],
  ] as const) {
    bytes[446 + 16 * number + 4] = 0x83;
    bytes.writeUInt32LE(start, 446 + 16 * number + 8);
    bytes.writeUInt32LE(count, 446 + 16 * number + 12);
  }
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

async function images(a: Buffer, b: Buffer, rangesA?: SectorRange[], rangesB?: SectorRange[]): Promise<[string, string]> {
  const folder = await temporaryFolder();
  const make = async (name: string, bytes: Buffer, ranges: SectorRange[] | undefined, level: number): Promise<string> => {
    await writeFile(join(folder, `${name}.raw`), bytes);
    await writeImage(join(folder, `${name}.raw`), join(folder, `${name}.ndz`), { level, ...(ranges ? { ranges } : {}) });
    return join(folder, `${name}.ndz`);
  };
  // other levels give other chunks
  return [await make('a', a, rangesA, 0), await make('b', b, rangesB, 1)];
}

describe('two images', () => {
  test('of the same disk are the same, however they were compressed', async () => {
    const [a, b] = await images(disk(), disk());
    expect(await diffImages(a, b)).toMatchObject({
      same: true,
      bytes: { changed: 0, 'only-a': 0, 'only-b': 0 },
      parts: [],
      runs: [],
      runCount: 0,
    });
    expect(await descriptorsOf(join(a, '..'))).toBe(0);
  });

  test('differ where a byte does: which sector, in which partition', async () => {
    const changed = disk();
    for (const at of [100, 4 * MIB, 4 * MIB + 700, 4 * MIB + 513 * 100, 7 * MIB + 5]) changed[at] = 0xee;
    const [a, b] = await images(disk(), changed);
    const found = await diffImages(a, b, { workers: 3 });
    expect(found.same).toBe(false);
    expect(found.runs.map(({ startSector, sectorCount, kind }) => [startSector, sectorCount, kind])).toEqual([
      [0, 1, 'changed'],
      [8192, 2, 'changed'],
      [8292, 1, 'changed'],
      [14_336, 1, 'changed'],
    ]);
    expect(
      found.parts.map(({ partition, startSector, endSector, bytes }) => [partition?.number ?? null, startSector, endSector, bytes.changed]),
    ).toEqual([
      [null, 0, 2048, 512],
      [2, 6144, 14_336, 3 * 512],
      [null, 14_336, 16_384, 512],
    ]);
    expect(found.bytes).toEqual({ changed: 5 * 512, 'only-a': 0, 'only-b': 0 });
  });

  test('differ where one leaves out what the other has', async () => {
    const [a, b] = await images(
      disk(),
      disk(),
      [
        { startSector: 0, endSector: 3000 },
        { startSector: 5000, endSector: 16_384 },
      ],
      [
        { startSector: 0, endSector: 7000 },
        { startSector: 7100, endSector: 16_000 },
      ],
    );
    const found = await diffImages(a, b);
    expect(found.runs).toEqual([
      { startSector: 3000, sectorCount: 2000, kind: 'only-b' },
      { startSector: 7000, sectorCount: 100, kind: 'only-a' },
      { startSector: 16_000, sectorCount: 384, kind: 'only-a' },
    ]);
    expect(found.parts.map(({ partition }) => partition?.number ?? null)).toEqual([1, 2, null]);
  });

  test('of disks that end elsewhere differ', async () => {
    const [a, b] = await images(disk(), disk().subarray(0, 8 * MIB - 4096));
    expect(await diffImages(a, b)).toMatchObject({ same: false, bytes: { changed: 0, 'only-a': 4096, 'only-b': 0 } });
    const [c, d] = await images(disk(), Buffer.concat([disk(), Buffer.alloc(MIB)]), undefined, [{ startSector: 0, endSector: 16_384 }]);
    expect(await diffImages(c, d)).toMatchObject({ same: false, bytes: { changed: 0, 'only-a': 0, 'only-b': 0 } });
  });

  test('with differences everywhere list so many, and count all', async () => {
    const a = randomBytes(4 * MIB);
    const b = Buffer.from(a);
    for (let sector = 0; sector < 8192; sector += 2) b[sector * 512] = (b[sector * 512] ?? 0) ^ 1;
    const [x, y] = await images(a, b);
    const found = await diffImages(x, y, { maxRuns: 10 });
    expect(found.runs.length).toBe(10);
    expect(found).toMatchObject({ runCount: 4096, bytes: { changed: 4096 * 512 } });
  });

  test('list a run once that is compared in many jobs', async () => {
    const a = randomBytes(12 * MIB);
    const b = Buffer.from(a);
    for (let at = 512; at < 11 * MIB; at += 512) b[at] = (b[at] ?? 0) ^ 1;
    b[11 * MIB + 700] = (b[11 * MIB + 700] ?? 0) ^ 1;
    const [x, y] = await images(a, b);
    const all = [
      { startSector: 1, sectorCount: 11 * 2048 - 1, kind: 'changed' },
      { startSector: 11 * 2048 + 1, sectorCount: 1, kind: 'changed' },
    ];
    expect(await diffImages(x, y)).toMatchObject({ runs: all, runCount: 2 });
    expect(await diffImages(x, y, { maxRuns: 1 })).toMatchObject({ runs: all.slice(0, 1), runCount: 2 });
  });
});

test('tells exactly what was changed, whatever it was', async () => {
  const sectors = 4096;
  const change = fc.record({ sector: fc.nat(sectors - 1), kind: fc.constantFrom<DiffKind>('changed', 'only-a', 'only-b') });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(change, { selector: ({ sector }) => sector, minLength: 1, maxLength: 20 }), async (changes) => {
      const one = randomBytes(sectors * 512);
      const other = Buffer.from(one);
      const without = (kind: DiffKind): SectorRange[] => {
        const gaps = changes
          .filter((each) => each.kind === kind)
          .map(({ sector }) => sector)
          .sort((a, b) => a - b);
        const starts = [0, ...gaps.map((sector) => sector + 1)];
        return starts
          .map((startSector, i) => ({ startSector, endSector: gaps[i] ?? sectors }))
          .filter(({ startSector, endSector }) => endSector > startSector);
      };
      for (const { sector, kind } of changes) if (kind === 'changed') other[sector * 512 + 200] = (other[sector * 512 + 200] ?? 0) ^ 0x55;
      const [a, b] = await images(one, other, without('only-b'), without('only-a'));
      const { runs } = await diffImages(a, b, { workers: 2 });
      const seen = runs.flatMap(({ startSector, sectorCount, kind }) =>
        Array.from({ length: sectorCount }, (_, i) => `${startSector + i} ${kind}`),
      );
      expect(seen.sort()).toEqual(changes.map(({ sector, kind }) => `${sector} ${kind}`).sort());
    }),
    { numRuns: 8 },
  );
}, 60_000);

test('stops when told to, and on a damaged image', async () => {
  const [a, b] = await images(disk(), disk());
  const reason = new Error('enough');
  await expect(diffImages(a, b, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const damaged = fixture('ext4').fill(0xff, 5000, 5010);
  await writeFile(b, damaged);
  await expect(diffImages(a, b)).rejects.toThrow(expect.objectContaining({ code: 'ndz-bad-stream' }));
  expect(await descriptorsOf(join(a, '..'))).toBe(0);
});
