import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { writeChecksum, writeProvenance } from '../../src/images/records.js';
import { judgeImage, vouchHint } from '../../src/images/whole.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { type ImageEnd, inspectImage } from '../../src/ndz/read/inspect.js';
import { fixture, sha256, temporaryFolder } from '../helpers/images.js';

let image: string;
beforeEach(async () => {
  image = join(await temporaryFolder(), 'x.ndz');
});

const judge = async (): Promise<ImageEnd> => judgeImage(await inspectImage(image));
const record = (of: Uint8Array, sizeBytes: number): Promise<void> =>
  writeProvenance(image, {
    sha256: sha256(of),
    sizeBytes,
    image: 'x',
    node: 'fit07',
    by: 'alice',
    gateway: 'faraday',
    savedAt: '2026-11-21T01:16:00Z',
    comment: null,
    base: null,
    stamp: null,
    verified: true,
    disk: null,
    notStamped: null,
  });

/** Its last chunk is full and its table speaks of more: cut, or a whole one by bad luck. */
const doubtful = (): Buffer => fixture('frag-ext2-F0').subarray(0, 2 * CHUNK_BYTES);

test('what looks cut is cut, unless a checksum vouches for it', async () => {
  await writeFile(image, doubtful());
  expect((await judge()).cut).toMatch(/its last chunks are missing$/);
  expect(vouchHint(image, await inspectImage(image))).toBe(
    `copy the image again; if it is whole all the same, say so: sha256sum ${image} > ${image}.sha256`,
  );
  await writeChecksum(image, sha256(doubtful()));
  expect(await judge()).toMatchObject({
    cut: null,
    note: expect.stringMatching(/speaks of 63488 sectors.*it is what was recorded beside it/) as unknown,
  });
  await writeChecksum(image, sha256(fixture('frag-ext2-F0')));
  await expect(judge()).rejects.toThrow(expect.objectContaining({ code: 'ndz-checksum' }));
});

test('or the size that its save recorded does', async () => {
  await writeFile(image, doubtful());
  await record(doubtful(), 2 * CHUNK_BYTES);
  expect((await judge()).cut).toBeNull();
  await record(fixture('frag-ext2-F0'), 3 * CHUNK_BYTES);
  expect((await judge()).cut).toBe(
    `it has ${2 * CHUNK_BYTES} bytes, and x.ndz.json beside it speaks of ${3 * CHUNK_BYTES}: its last chunks are missing`,
  );
});

test('a record of another image says nothing, and neither does one that cannot be read', async () => {
  const whole = fixture('ext4');
  await writeFile(image, whole);
  await writeChecksum(image, sha256(whole));
  await record(fixture('raw3m'), 100 * CHUNK_BYTES);
  expect(await judge()).toMatchObject({ cut: null, note: null });
  await writeFile(`${image}.json`, 'not json');
  await writeFile(`${image}.sha256`, 'nor a sum');
  expect(await judge()).toMatchObject({ cut: null, note: null });
  expect(await readFile(image)).toHaveLength(whole.byteLength);
});
