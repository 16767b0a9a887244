import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkBmap, findBmap, parseBmap, readBmap } from '../../src/images/bmap.js';
import { temporaryFolder } from '../ndz/images.js';

const failure = (code: string, words: string): unknown => expect.objectContaining({ code, message: expect.stringContaining(words) as unknown });

/** A bmap as bmaptool 2 writes it. */
const text = (changes: Partial<Record<string, string>> = {}, ranges = '<Range> 0-1 </Range><Range>4</Range>'): string => {
  const fields = { ImageSize: '20000', BlockSize: '4096', BlocksCount: '5', MappedBlocksCount: '3', ChecksumType: 'sha256', ...changes };
  return `<?xml version="1.0" ?>\n<bmap version="2.0">\n<!-- <Range>9</Range> -->\n${Object.entries(fields).map(([name, value]) => `<${name}> ${value} </${name}>\n`).join('')}<BlockMap>${ranges}</BlockMap></bmap>\n`;
};

it('is read: size, blocks, ranges, their checksums', () => {
  expect(parseBmap(text({}, '<Range chksum="ABcd"> 0-1 </Range>\n<Range chksum="00">4</Range>'), 'x')).toEqual({
    path: 'x', sizeBytes: 20_000, blockBytes: 4096, checksumType: 'sha256', ranges: [{ first: 0, last: 1, checksum: 'abcd' }, { first: 4, last: 4, checksum: '00' }],
  });
  // version 1.3 had SHA-1s only
  expect(parseBmap(text({ ChecksumType: undefined, MappedBlocksCount: '1' } as never, '<Range sha1="ab">0</Range>').replace('<ChecksumType> undefined </ChecksumType>', ''), 'x')).toMatchObject({ checksumType: 'sha1', ranges: [{ first: 0, last: 0, checksum: 'ab' }] });
});

it.each([
  ['no bmap', 'hello', 'it has no ImageSize'],
  ['no ranges', text({}, ''), 'it has no ranges'],
  ['a block size of nothing', text({ BlockSize: '0' }), 'it has no BlockSize'],
  ['ranges out of order', text({}, '<Range>4</Range><Range>1</Range>'), 'it has a range "1"'],
  ['ranges that overlap', text({}, '<Range>0-2</Range><Range>2</Range>'), 'it has a range "2"'],
  ['a range beyond the end', text({}, '<Range>5</Range>'), 'it has a range "5"'],
  ['less than it says', text({}, '<Range>0-1</Range>'), 'it says that 3 blocks are mapped, and its ranges have 2'],
  ['a range that is none', text({}, '<Range>-3</Range>'), 'it has a range "-3"'],
])('%s is refused', async (_, content, words) => {
  const path = join(await temporaryFolder(), 'x.bmap');
  await writeFile(path, content);
  await expect(readBmap(path)).rejects.toThrow(failure('bmap-unreadable', words));
});

it('that has been changed since is found by its checksum of itself', () => {
  // by bmaptool 3.6, of an image of 2 MiB
  const made = readFileSync(new URL('../fixtures/bmap/made-by-bmaptool.bmap', import.meta.url), 'utf8');
  expect(parseBmap(made, 'x')).toMatchObject({ sizeBytes: 2_097_152, ranges: [{ first: 0, last: 0 }] });
  expect(() => parseBmap(made.replace('<ImageSize> 2097152', '<ImageSize> 2097153'), 'x')).toThrow('its own sha256 is wrong');
});

it('is found beside an image, by any of the names bmaptool knows', async () => {
  const folder = await temporaryFolder();
  for (const [bmap, image] of [['a.raw.xz.bmap', 'a.raw.xz'], ['b.raw.bmap', 'b.raw.xz'], ['c.bmap', 'c.raw.xz'], ['d.1.bmap', 'd.1.img']] as const) {
    expect(await findBmap(join(folder, image))).toBeNull();
    await writeFile(join(folder, bmap), text());
    expect(await findBmap(join(folder, image))).toBe(join(folder, bmap));
  }
});

describe('an image is compared with it', () => {
  const image = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251));
  const sum = (from: number, to: number): string => createHash('sha256').update(image.subarray(from, to)).digest('hex');
  const good = text({}, `<Range chksum="${sum(0, 8192)}">0-1</Range><Range chksum="${sum(16_384, 20_000)}">4</Range>`);

  it.each<[string, (bytes: Buffer) => Buffer, string | null]>([
    ['as it was', (bytes) => bytes, null],
    ['changed where nothing is mapped', (bytes) => bytes.fill(0, 8192, 16_384), null],
    ['changed', (bytes) => bytes.fill(0, 8000, 8001), 'blocks 0 to 1 have another sha256'],
    ['changed in its last block, which is not whole', (bytes) => bytes.fill(0, 19_999), 'blocks 4 to 4 have another sha256'],
    ['cut', (bytes) => bytes.subarray(0, 19_000), 'it has 19000 bytes, not 20000'],
  ])('%s', async (_, change, words) => {
    const path = join(await temporaryFolder(), 'x.raw');
    await writeFile(path, change(Buffer.from(image)));
    const checking = checkBmap(path, parseBmap(good, 'x.bmap'));
    if (words === null) await checking;
    else await expect(checking).rejects.toThrow(failure('bmap-mismatch', words));
  });
});
