import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { leftOut, plan } from '../../helpers/disks.js';
import { writeGpt, writeMbr } from '../../helpers/partition-tables.js';

const MIB = 1024 * 1024;
const SECTORS = (16 * MIB) / 512;

/** An MBR disk of 16 MiB with one partition from 1 to 5 MiB, and `at` so many sectors before its end: `bytes`. */
function diskEnding(at: number, bytes: string | Buffer): Buffer {
  const disk = Buffer.alloc(16 * MIB);
  writeMbr(disk, 0, [{ type: 0x8e, start: 2048, count: 8192 }]);
  disk.set(Buffer.from(bytes as string, 'latin1'), disk.byteLength - at * 512);
  return disk;
}

describe("the disk's last MiB is saved when it belongs to", () => {
  test.each([
    ['Intel firmware RAID (IMSM)', 2, 'Intel Raid ISM Cfg Sig. 1.3.00'],
    ['firmware RAID (DDF)', 1, '\xde\x11\xde\x11'],
    ['Promise firmware RAID', 63, 'Promise Technology, Inc.'],
    ['NVIDIA firmware RAID', 2, 'NVIDIA  '],
    ['FreeBSD GEOM', 1, 'GEOM::MIRROR'],
  ])('%s', async (name, at, magic) => {
    const seen = await plan(diskEnding(at, magic));
    expect(leftOut(seen)).toEqual([[10_240, SECTORS - 2048]]);
    expect(seen.notes).toContain(`the disk ends with what belongs to ${name}: its last MiB is saved as well`);
  });
});

test('what is not known in the last two sectors is left out, with a note', async () => {
  const seen = await plan(diskEnding(2, randomBytes(10)));
  expect(leftOut(seen)).toEqual([[10_240, SECTORS]]);
  expect(seen.notes).toContainEqual(expect.stringMatching(/^the disk's last sectors, .* hold something that is not known here: left out$/));
});

test('nothing is said of zeros, of rubbish, of the copy of a GPT, or of what lies inside a partition', async () => {
  const said = async (disk: Buffer): Promise<string[]> => (await plan(disk)).notes.filter((note) => /last (MiB|sectors)/.test(note));
  expect(await said(diskEnding(1, '\0'))).toEqual([]);
  expect(await said(diskEnding(3, randomBytes(512)))).toEqual([]); // rubbish before them is usual
  const gpt = Buffer.alloc(16 * MIB);
  writeGpt(gpt, [{ first: 2048, last: 10_239 }]);
  expect(await said(gpt)).toEqual([]);
  writeMbr(gpt.fill(0, 0, 512 * 40), 0, [{ type: 0x8e, start: 2048, count: 8192 }]); // an MBR since, with the old copy at the end
  expect(await said(gpt)).toEqual([]);
  const full = Buffer.alloc(16 * MIB);
  writeMbr(full, 0, [{ type: 0x8e, start: 2048, count: SECTORS - 2048 }]);
  full.write('Intel Raid ISM Cfg Sig.', full.byteLength - 1024, 'latin1');
  expect(await said(full)).toEqual([]);
});
