import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkBmap, findBmap, readBmap } from '../../src/images/bmap.js';
import { parseBmap as parseBytes } from '../../src/images/bmap-text.js';
import { temporaryFolder } from '../helpers/images.js';

const failure = (code: string, words: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(words) as unknown });

const parseBmap = (content: string, path: string): ReturnType<typeof parseBytes> => parseBytes(Buffer.from(content), path);

/** A bmap as bmaptool 2 writes it. */
const text = (changes: Partial<Record<string, string>> = {}, ranges = '<Range> 0-1 </Range><Range>4</Range>'): string => {
  const fields = { ImageSize: '20000', BlockSize: '4096', BlocksCount: '5', MappedBlocksCount: '3', ChecksumType: 'sha256', ...changes };
  return `<?xml version="1.0" ?>\n<bmap version="2.0">\n<!-- <Range>9</Range> -->\n${Object.entries(fields)
    .map(([name, value]) => `<${name}> ${value} </${name}>\n`)
    .join('')}<BlockMap>${ranges}</BlockMap></bmap>\n`;
};

test('is read: size, blocks, ranges, their checksums', async () => {
  expect(await parseBmap(text({}, '<Range chksum="ABcd"> 0-1 </Range>\n<Range chksum="00">4</Range>'), 'x')).toEqual({
    path: 'x',
    sizeBytes: 20_000,
    blockBytes: 4096,
    checksumType: 'sha256',
    ranges: [
      { first: 0, last: 1, checksum: 'abcd' },
      { first: 4, last: 4, checksum: '00' },
    ],
  });
  // version 1.3 had SHA-1s only
  expect(
    await parseBmap(
      text({ ChecksumType: undefined, MappedBlocksCount: '1' } as never, '<Range sha1="ab">0</Range>').replace(
        '<ChecksumType> undefined </ChecksumType>',
        '',
      ),
      'x',
    ),
  ).toMatchObject({ checksumType: 'sha1', ranges: [{ first: 0, last: 0, checksum: 'ab' }] });
});

test.each([
  ['no bmap', 'hello', 'it is no XML'],
  ['no ranges', text({}, ''), 'it has no ranges'],
  ['a block size of nothing', text({ BlockSize: '0' }), 'it has no BlockSize'],
  ['ranges out of order', text({}, '<Range>4</Range><Range>1</Range>'), 'it has a range "1"'],
  ['ranges that overlap', text({}, '<Range>0-2</Range><Range>2</Range>'), 'it has a range "2"'],
  ['a range beyond the end', text({}, '<Range>5</Range>'), 'it has a range "5"'],
  ['less than it says', text({}, '<Range>0-1</Range>'), 'it says that 3 blocks are mapped, and its ranges have 2'],
  ['another XML', '<html><body>404</body></html>', 'it is no block map: it begins with "html"'],
  ['a version to come', text().replace('version="2.0"', 'version="3.0"'), 'it has version "3.0" of the format'],
  ['entities of its own', `<!DOCTYPE bmap [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>${text().slice(22)}`, 'it has a document type'],
  [
    'a range cut short by its end',
    '<bmap><ImageSize>1048576</ImageSize><BlockSize>4096</BlockSize><BlockMap><Range>' + ' '.repeat(4_000_000) + '</bmap>',
    'it has a range ""',
  ],
  ['tags that never end', `<bmap>${'<Range '.repeat(200_000)}`, 'it is no XML'],
  ['comments that never end', `<bmap>${'<!--'.repeat(300_000)}`, 'it is no XML'],
  ['one comment that never ends', `<bmap><!--${'a'.repeat(8_000_000)}`, 'it is no XML'],
  ['tags in tags', '<bmap>'.repeat(500_000), 'it has tags within tags'],
  ['attributes without end', `<bmap ${Array.from({ length: 200_000 }, (_, i) => `a${i}="x"`).join(' ')}/>`, 'too many attributes'],
  ['text where a number belongs', text({ ImageSize: '1 '.repeat(2_000_000) }), 'it has more than a number or a name in "ImageSize"'],
  ['blanks between comments where a number belongs', text({ ImageSize: ' <!---->'.repeat(300_000) }), 'it has no ImageSize'],
  ['more than 16 MiB', ' '.repeat(17 * 1024 * 1024), 'it has more than 16777216 bytes'],
  ['a range of more blocks than there are', text({}, '<Range>0-99999999</Range>'), 'it has a range "0-99999999"'],
  ['a range that is none', text({}, '<Range>-3</Range>'), 'it has a range "-3"'],
])('%s is refused', async (_, content, words) => {
  const path = join(await temporaryFolder(), 'x.bmap');
  await writeFile(path, content);
  await expect(readBmap(path)).rejects.toThrow(failure('bmap-unreadable', words));
});

test('that has been changed since is found by its checksum of itself', async () => {
  // by bmaptool 3.6, of an image of 2 MiB
  const made = readFileSync(new URL('../fixtures/bmap/made-by-bmaptool.bmap', import.meta.url), 'utf8');
  expect(await parseBmap(made, 'x')).toMatchObject({ sizeBytes: 2_097_152, ranges: [{ first: 0, last: 0 }] });
  await expect(parseBmap(made.replace('<ImageSize> 2097152', '<ImageSize> 2097153'), 'x')).rejects.toThrow('its own sha256 is wrong');
});

test('is found beside an image, by any of the names bmaptool knows', async () => {
  const folder = await temporaryFolder();
  for (const [bmap, image] of [
    ['a.raw.xz.bmap', 'a.raw.xz'],
    ['b.raw.bmap', 'b.raw.xz'],
    ['c.bmap', 'c.raw.xz'],
    ['d.1.bmap', 'd.1.img'],
  ] as const) {
    expect(await findBmap(join(folder, image))).toBeNull();
    await writeFile(join(folder, bmap), text());
    expect(await findBmap(join(folder, image))).toEqual({ path: join(folder, bmap), isGuessed: false });
  }
  await writeFile(join(folder, 'e.bmap'), text());
  expect(await findBmap(join(folder, 'e.5.img.xz'))).toEqual({ path: join(folder, 'e.bmap'), isGuessed: true });
});

test('can be stopped while it is read', async () => {
  const controller = new AbortController();
  setImmediate(() => controller.abort(new Error('enough')));
  const large = text().replace('<bmap', `${'<!-- a comment -->'.repeat(600_000)}<bmap`);
  await expect(parseBytes(Buffer.from(large), 'x', controller.signal)).rejects.toThrow('enough');
});

test('of version 1.0 has no checksums', async () => {
  const old =
    '<?xml version="1.0" ?><bmap version="1.0"><ImageSize> 20000 </ImageSize><BlockSize> 4096 </BlockSize><BlocksCount> 5 </BlocksCount><MappedBlocksCount> 2 </MappedBlocksCount><BlockMap><Range> 0-1 </Range></BlockMap></bmap>';
  expect(await parseBmap(old, 'x')).toEqual({
    path: 'x',
    sizeBytes: 20_000,
    blockBytes: 4096,
    checksumType: null,
    ranges: [{ first: 0, last: 1, checksum: null }],
  });
});

describe('an image is compared with it', () => {
  const image = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251));
  const sum = (from: number, to: number): string => createHash('sha256').update(image.subarray(from, to)).digest('hex');
  const good = text({}, `<Range chksum="${sum(0, 8192)}">0-1</Range><Range chksum="${sum(16_384, 20_000)}">4</Range>`);

  test.each<[string, (bytes: Buffer) => Buffer, string | null]>([
    ['as it was', (bytes) => bytes, null],
    ['changed where nothing is mapped', (bytes) => bytes.fill(0, 8192, 16_384), null],
    ['changed', (bytes) => bytes.fill(0, 8000, 8001), 'blocks 0 to 1 have another sha256'],
    ['changed in its last block, which is not whole', (bytes) => bytes.fill(0, 19_999), 'blocks 4 to 4 have another sha256'],
    ['cut', (bytes) => bytes.subarray(0, 19_000), 'it has 19000 bytes, not 20000'],
  ])('%s', async (_, change, words) => {
    const path = join(await temporaryFolder(), 'x.raw');
    await writeFile(path, change(Buffer.from(image)));
    const checking = checkBmap(path, await parseBmap(good, 'x.bmap'));
    if (words === null) await checking;
    else await expect(checking).rejects.toThrow(failure('bmap-mismatch', words));
  });
});
