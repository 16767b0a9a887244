import { execFileSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureNdz } from '../../src/images/convert.js';
import { systemHost } from '../../src/util/host.js';
import { descriptorsOf, temporaryFolder } from '../helpers/images.js';

const hasZstd = ((): boolean => {
  try {
    execFileSync('zstd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** A frame of zeros, 128 KiB in four bytes each, behind `head`. */
function bomb(blocks: number, head: Buffer): Buffer {
  const block = Buffer.from([0x02 | ((131_072 << 3) & 0xff), (131_072 >> 5) & 0xff, 131_072 >> 13, 0]);
  const first = Buffer.concat([Buffer.from([(head.byteLength << 3) & 0xff, head.byteLength >> 5, 0]), head]);
  return Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), first, Buffer.alloc(blocks * 4, block), Buffer.from([0x03, 0, 0, 0])]);
}

const table = Buffer.alloc(4096);
table[450] = 0x83;
table.writeUInt32LE(2048, 454);
table.writeUInt32LE(100_000, 458);
table.writeUInt16LE(0xaa55, 510);

test.skipIf(!hasZstd).each([
  ['zeros', Buffer.alloc(4096), 'begins with no partition table and no file system that says how large it is'],
  ['the table of a small disk, then zeros', table, 'its partition table ends at 50 MiB'],
])('what unpacks into more than any disk ends soon, and leaves nothing: %s (needs zstd)', async (_, head, words) => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'image'), bomb(2_000_000, head)); // 244 GiB
  const cacheDir = join(folder, 'cache');
  await expect(ensureNdz(join(folder, 'image'), { cacheDir })).rejects.toThrow(
    expect.objectContaining({ code: 'source-too-large', message: expect.stringContaining(words) as unknown }),
  );
  expect(await readdir(join(cacheDir, String(systemHost.uid())))).toEqual([]);
  expect(await descriptorsOf(folder)).toBe(0);
});
