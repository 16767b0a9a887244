import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyImage } from '../../../src/ndz/check/verify.js';
import { inspectImage } from '../../../src/ndz/read/inspect.js';
import { CHUNK_BYTES, HEADER_BYTES } from '../../../src/ndz/codec/format.js';
import {
  chunkOf,
  chunksOf,
  descriptorsOf,
  expectedOf,
  fixture,
  fixtureNames,
  headerOf,
  temporaryFolder,
  UUID,
} from '../../helpers/images.js';

const image = async (bytes: Uint8Array): Promise<string> => {
  const path = join(await temporaryFolder(), 'image.ndz');
  await writeFile(path, bytes);
  return path;
};
const refused = (code: string, message: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as unknown });
const at = (index: number, firstSector: number, lastSector: number, start = firstSector, changes = {}): Buffer =>
  chunkOf(headerOf({ index, firstSector, lastSector, regions: [{ startSector: start, sectorCount: lastSector - start }], ...changes }));

test.each(fixtureNames)('%s: the numbers a client prints after loading it', async (name) => {
  const { effectiveBytes, actualBytes, diskBytes } = expectedOf(name);
  const bytes = fixture(name);
  const path = await image(bytes);
  const version = name.endsWith('v1') ? 1 : name.endsWith('v3') ? 3 : 4;
  const info = {
    path,
    effectiveBytes,
    actualBytes,
    diskBytes,
    version,
    sizeBytes: bytes.byteLength,
    chunkCount: bytes.byteLength / CHUNK_BYTES,
    uuid: version === 4 ? UUID : null,
    checksums: false,
    ending: version === 1 ? 'marked' : 'open',
  };
  expect(await inspectImage(path)).toEqual(info);
  expect(await verifyImage(path)).toEqual(info);
});

describe('a file that is no whole image', () => {
  test.each<[string, () => Uint8Array, string, string]>([
    ['empty', () => Buffer.alloc(0), 'ndz-empty', 'the file is empty'],
    ['cut inside a chunk', () => fixture('frag-ext2-F0').subarray(0, -5), 'ndz-truncated', 'the last chunk has only 1048571'],
    ['shorter than a header', () => Buffer.alloc(100), 'ndz-truncated', '100 bytes, not a multiple of 1048576'],
    ['random', () => Buffer.alloc(CHUNK_BYTES, 'x'), 'ndz-bad-magic', 'chunk 0: starts with 0x78787878'],
    ['without its first chunk', () => fixture('frag-ext2-F0').subarray(CHUNK_BYTES), 'ndz-chunk-order', 'chunk 0: numbered 1'],
    [
      'with chunks in another order',
      () => Buffer.concat(chunksOf(fixture('frag-ext2-F0')).reverse()),
      'ndz-chunk-order',
      'chunk 0: numbered 2',
    ],
    [
      'a V1 image cut between chunks',
      () => fixture('frag-ext2-F0-v1').subarray(0, 2 * CHUNK_BYTES),
      'ndz-truncated',
      'says the image has 3 chunks, the file has 2',
    ],
    ['not beginning at sector 0', () => at(0, 8, 16), 'ndz-chunk-order', 'chunk 0: speaks for sectors from 8 on, expected 0'],
    [
      'with a gap between chunks',
      () => Buffer.concat([at(0, 0, 8), at(1, 9, 16)]),
      'ndz-chunk-order',
      'chunk 1: speaks for sectors from 9 on, expected 8',
    ],
    [
      'of two images',
      () => Buffer.concat([at(0, 0, 8), at(1, 8, 16, 8, { uuid: UUID.replace('00', 'ff') })]),
      'ndz-uuid-mismatch',
      'chunk 1: uuid ff',
    ],
    [
      'of two versions',
      () => Buffer.concat([at(0, 0, 8), at(1, 8, 16, 8, { version: 3, uuid: null })]),
      'ndz-uuid-mismatch',
      'chunk 1: version 3, chunk 0 has version 4',
    ],
    ['encrypted', () => at(0, 0, 8, 0, { cipher: 'blowfish' }), 'ndz-encrypted', 'chunk 0: encrypted'],
    [
      'with V1 chunks that overlap',
      () => Buffer.concat([at(0, 0, 8, 0, { version: 1, uuid: null }), at(1, 7, 16, 7, { version: 1, uuid: null })]),
      'ndz-chunk-order',
      'chunk 1: starts at sector 7, the chunk before ends at 8',
    ],
  ])('%s', async (_, bytes, code, message) => {
    const path = await image(bytes());
    await expect(inspectImage(path)).rejects.toThrow(refused(code, message));
    await expect(inspectImage(path)).rejects.toThrow(path);
    expect(await descriptorsOf(path)).toBe(0);
  });

  test('a missing file, a folder', async () => {
    const folder = await temporaryFolder();
    await expect(inspectImage(join(folder, 'none.ndz'))).rejects.toThrow(refused('ndz-unreadable', 'ENOENT'));
    await mkdir(join(folder, 'folder.ndz'));
    await expect(inspectImage(join(folder, 'folder.ndz'))).rejects.toThrow(refused('ndz-unreadable', 'not a regular file'));
  });
});

test('says whether every chunk has a checksum', async () => {
  const sha1 = { checksumType: 'sha1', checksum: new Uint8Array(20) } as const;
  expect((await inspectImage(await image(Buffer.concat([at(0, 0, 8, 0, sha1), at(1, 8, 16, 8, sha1)])))).checksums).toBe(true);
  expect((await inspectImage(await image(Buffer.concat([at(0, 0, 8, 0, sha1), at(1, 8, 16)])))).checksums).toBe(false);
});

test('verifying finds damage that the headers do not show', async () => {
  const bytes = fixture('frag-ext2-F0');
  const path = await image(bytes.fill(0xff, CHUNK_BYTES + HEADER_BYTES + 1000, CHUNK_BYTES + HEADER_BYTES + 1010));
  await inspectImage(path);
  await expect(verifyImage(path)).rejects.toThrow(refused('ndz-bad-stream', 'image.ndz: chunk 1: its compressed stream is damaged'));
  expect(await descriptorsOf(path)).toBe(0);
});

test('stops when told to', async () => {
  const path = await image(fixture('frag-ext2-F0'));
  const reason = new Error('enough');
  await expect(inspectImage(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const controller = new AbortController();
  const verifying = verifyImage(path, { signal: controller.signal });
  controller.abort(reason);
  await expect(verifying).rejects.toBe(reason);
});
