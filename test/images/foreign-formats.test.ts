import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { foreignFormat } from '../../src/images/foreign-formats.js';
import { formatOfFile } from '../../src/images/formats.js';
import { temporaryFolder } from '../helpers/images.js';

/** A file of 64 KiB with something somewhere. */
const file = (text: string, offset = 0): Buffer => {
  const bytes = Buffer.alloc(65_536);
  bytes.write(text, offset, 'latin1');
  return bytes;
};

test.each([
  ['a zip archive', file('PK\x03\x04')],
  ['a 7z archive', file('7z\xbc\xaf\x27\x1c')],
  ['a rar archive', file('Rar!\x1a\x07\x00')],
  ['compressed by lz4', file('\x04\x22\x4d\x18')],
  ['compressed by lzma', file('\x5d\x00\x00\x80\x00')],
  ['a tar archive', file('ustar\x0000', 257)],
  ['a Debian package', file('!<arch>\ndebian-binary')],
  ['an RPM package', file('\xed\xab\xee\xdb')],
  ['a disk in qcow2 format', file('QFI\xfb')],
  ['a disk in VMDK format', file('KDMV')],
  ['a disk in VDI format', file('\x7f\x10\xda\xbe', 64)],
  ['a disk in VHDX format', file('vhdxfile')],
  ['a disk in VHD format', file('conectix')],
  ['a squashfs', file('hsqs')],
  ['a CD image without a partition table', file('CD001', 0x8001)],
  ['a pointer of Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n')],
  ['a page of HTML', Buffer.from('\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>')],
  ['a block map (.bmap)', Buffer.from('<?xml version="1.0" ?>\n<!-- a - long -- ago\n -->\n\n<bmap version="2.0">\n'.replace(' -- ', ' '))],
])('%s is told, with what to do', async (words, bytes) => {
  expect(foreignFormat(bytes)?.is).toContain(words);
  const path = join(await temporaryFolder(), 'image');
  await writeFile(path, bytes);
  await expect(formatOfFile(path)).rejects.toThrow(
    expect.objectContaining({
      code: 'image-unknown',
      message: expect.stringContaining(`${path} is ${words}`) as unknown,
      hint: expect.stringMatching(/\w/) as unknown,
    }),
  );
});

test('a boot sector is a disk, whatever else it is', () => {
  for (const bytes of [file('CD001', 0x8001), file('hsqs'), file('PK\x03\x04')]) {
    bytes.writeUInt16LE(0xaa55, 510);
    expect(foreignFormat(bytes)).toBeNull();
  }
  expect(foreignFormat(Buffer.alloc(65_536))).toBeNull();
});

test.each([
  ['zstd', '28b52ffd0000'],
  ['compressed by lz4', '04224d180000'],
])('behind skippable frames: %s', async (words, hex) => {
  const path = join(await temporaryFolder(), 'image');
  await writeFile(path, Buffer.from(`502a4d180300000000ffff5f2a4d1800000000${hex}`, 'hex'));
  expect(await formatOfFile(path).catch((error: unknown) => String(error))).toContain(words);
});
