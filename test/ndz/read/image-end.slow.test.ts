import { createReadStream } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { applyImage } from '../../../src/ndz/apply/apply.js';
import { CHUNK_BYTES, HEADER_BYTES } from '../../../src/ndz/codec/format.js';
import { endOfImage, type ImageEnd, inspectImage } from '../../../src/ndz/read/inspect.js';
import { verifyDisk } from '../../../src/ndz/check/verify.js';
import { writeImage, type WriteOptions, zipDisk } from '../../../src/ndz/write/writer.js';
import { LARGER_BY_WORD, WIDE_PROTECTIVE } from '../../helpers/disks-of-other-sizes.js';
import { fixture, fixtureNames, temporaryFolder } from '../../helpers/images.js';

const endOf = async (image: string): Promise<ImageEnd> => endOfImage(await inspectImage(image));

async function zipped(disk: Uint8Array, options: Partial<WriteOptions> = {}): Promise<{ folder: string; raw: string; image: string }> {
  const folder = await temporaryFolder();
  const [raw, image] = [join(folder, 'raw'), join(folder, 'x.ndz')];
  await writeFile(raw, disk);
  await zipDisk(raw, image, { workers: 1, ...options });
  return { folder, raw, image };
}

/** The image of a disk of noise, three chunks long, and its bytes. */
async function threeChunks(options: Partial<WriteOptions> = {}): Promise<{ image: string; bytes: Buffer }> {
  const folder = await temporaryFolder();
  const image = join(folder, 'x.ndz');
  await writeFile(join(folder, 'raw'), randomBytes(2_500_096));
  await writeImage(join(folder, 'raw'), image, { workers: 1, ...options });
  return { image, bytes: await readFile(image) };
}

describe.each([
  ['ours', {}],
  ['of a writer without marks', { endMark: false }],
])('an image %s', (_, options) => {
  test.each(LARGER_BY_WORD)(
    'of %s is whole, and says so in a note; it is written, from a file and from a pipe, and verifies',
    async (_what, make, says) => {
      const { folder, raw, image } = await zipped(make(), options);
      expect(await endOf(image)).toMatchObject({ cut: null, note: expect.stringMatching(says) as unknown });
      expect((await applyImage(image, join(folder, 'out'))).notes).toEqual([expect.stringMatching(says)]);
      expect((await applyImage(createReadStream(image), join(folder, 'piped'))).notes).toEqual([expect.stringMatching(says)]);
      expect(Buffer.compare(await readFile(join(folder, 'out')), await readFile(raw))).toBe(0);
      expect((await verifyDisk(image, raw)).difference).toBeNull();
    },
  );

  test.each(WIDE_PROTECTIVE)('of %s whose protective entry has the largest size needs no note', async (_what, make) => {
    const { image } = await zipped(make(), options);
    expect(await endOf(image)).toMatchObject({ cut: null, note: null });
  });
});

test('tells the sectors that a GPT counts in, and nothing for other tables', async () => {
  const seen = await Promise.all(
    [WIDE_PROTECTIVE[0], WIDE_PROTECTIVE[1], LARGER_BY_WORD[1]].map(
      async (each) => (await endOf((await zipped(each?.[1]() ?? Buffer.alloc(0))).image)).tableSectorBytes,
    ),
  );
  expect(seen).toEqual([512, 4096, null]);
});

describe('an image that was cut between two chunks', () => {
  test('of ours is found whatever is in it, from a file and from a pipe', async () => {
    for (const version of [3, 4] as const) {
      const { image, bytes } = await threeChunks({ version });
      expect(await endOf(image)).toEqual({ cut: null, note: null, tableSectorBytes: null });
      for (const kept of [1, 2]) {
        const cut = bytes.subarray(0, kept * CHUNK_BYTES);
        await writeFile(image, cut);
        expect((await endOf(image)).cut).toMatch(
          /^it ends at sector \d+, in a chunk that says that others follow: its last chunks are missing$/,
        );
        await expect(applyImage(image, `${image}.out`)).rejects.toThrow(expect.objectContaining({ code: 'ndz-cut' }));
        await expect(applyImage(Readable.from([cut]), `${image}.out`, { atomic: true })).rejects.toThrow(
          expect.objectContaining({ code: 'ndz-cut' }),
        );
        await expect(verifyDisk(image, image)).rejects.toThrow(expect.objectContaining({ code: 'ndz-cut' }));
      }
    }
  });

  test('of another program is found by its full last chunk, when its disk speaks of more', async () => {
    const folder = await temporaryFolder();
    const image = join(folder, 'x.ndz');
    for (const kept of [1, 2]) {
      await writeFile(image, fixture('frag-ext2-F0').subarray(0, kept * CHUNK_BYTES));
      expect((await endOf(image)).cut).toMatch(
        /^its partition table speaks of 63488 sectors, and it ends at sector \d+: its last chunks are missing$/,
      );
    }
  });

  test('and one with chunks behind its last is two images joined', async () => {
    const { image, bytes } = await threeChunks();
    const more = Buffer.from(bytes.subarray(-CHUNK_BYTES));
    more.writeUInt32LE(3, 8);
    await writeFile(image, Buffer.concat([bytes, more]));
    await expect(inspectImage(image)).rejects.toThrow(
      expect.objectContaining({
        code: 'ndz-chunk-order',
        message: expect.stringMatching(/chunk 3: says that it is the last of 3/) as unknown,
      }),
    );
  });
});

test('every image of the 2015 imagezip is whole', async () => {
  const image = join(await temporaryFolder(), 'x.ndz');
  for (const name of fixtureNames) {
    await writeFile(image, fixture(name));
    const { ending } = await inspectImage(image);
    expect(['open', 'marked'], name).toContain(ending);
    expect(await endOf(image), name).toMatchObject({ cut: null, note: null });
  }
});

test('the mark is in bytes that no other reader looks at: behind regions and relocations, before the stream', async () => {
  const [marked, plain] = await Promise.all(
    [{}, { endMark: false }].map(async (options) => (await threeChunks({ uuid: '0'.repeat(32), ...options })).bytes),
  );
  const isMark = (byte: number): boolean => byte % CHUNK_BYTES >= HEADER_BYTES - 16 && byte % CHUNK_BYTES < HEADER_BYTES;
  for (const bytes of [marked, plain]) {
    for (let at = 0; at < (bytes?.byteLength ?? 0); at += CHUNK_BYTES) {
      const regionCount = bytes?.readUInt32LE(at + 20) ?? 0;
      const rest = bytes?.subarray(at + 344 + 8 * regionCount, at + HEADER_BYTES) ?? Buffer.alloc(0);
      const used = [...rest.entries()].filter(([, byte]) => byte !== 0).map(([i]) => 344 + 8 * regionCount + i);
      expect(used.every((byte) => bytes === marked && isMark(byte))).toBe(true);
    }
  }
});
