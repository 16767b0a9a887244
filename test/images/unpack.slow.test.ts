import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import type { PackedFormat } from '../../src/images/packed-magics.js';
import { LARGEST_DISK_BYTES } from '../../src/images/room.js';
import { unpack, type Unpacked, type UnpackOptions } from '../../src/images/unpack.js';
import { systemHost } from '../../src/util/host.js';
import { descriptorsOf, temporaryFolder } from '../helpers/images.js';

const MIB = 1024 * 1024;
const PROGRAMS: Record<PackedFormat, string> = { gzip: 'gzip', xz: 'xz', zstd: 'zstd', bzip2: 'bzip2' };
const FORMATS = Object.keys(PROGRAMS) as PackedFormat[];
const has = (program: string): boolean => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const missing = FORMATS.filter((format) => format !== 'gzip' && !has(PROGRAMS[format]));
const pack = (format: PackedFormat, bytes: Buffer, args: string[] = []): Buffer =>
  format === 'gzip'
    ? gzipSync(bytes)
    : execFileSync(PROGRAMS[format], ['-q', '-c', ...args], { input: bytes, maxBuffer: 64 * MIB, stdio: ['pipe', 'pipe', 'ignore'] });

const [one, two] = [Buffer.concat([randomBytes(300_000), Buffer.alloc(2 * MIB)]), Buffer.concat([Buffer.alloc(MIB), randomBytes(200_000)])];
const both = Buffer.concat([one, two]);
const signature = Buffer.from('# fake certificateFWx0');
const zeros = Buffer.alloc(4096);

let folder: string;
let count = 0;
const limits = { largestDiskBytes: LARGEST_DISK_BYTES, exactBytes: null };

/** What comes out of a file, with the notes. */
async function unpacked(format: PackedFormat, bytes: Buffer, options: Partial<UnpackOptions> = {}): Promise<Unpacked & { bytes: Buffer }> {
  const [source, target] = [join(folder, `d${++count}.img`), join(folder, `temporary-${count}`)];
  await writeFile(source, bytes);
  const result = await unpack(source, format, target, { host: systemHost, limits, ...options });
  expect(await descriptorsOf(folder)).toBe(0);
  return { ...result, bytes: await readFile(target) };
}

async function refused(format: PackedFormat, bytes: Buffer, words: string | RegExp, options: Partial<UnpackOptions> = {}): Promise<void> {
  const error: unknown = await unpacked(format, bytes, options).then(
    () => 'nothing was wrong',
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'Failure', message: expect.stringMatching(words) as unknown });
  expect(String(error)).toContain(join(folder, `d${count}.img`));
  expect(String(error)).not.toContain('temporary-');
  expect(await descriptorsOf(folder)).toBe(0);
}

beforeEach(async () => {
  folder = await temporaryFolder();
});

describe.each(FORMATS)('%s', (format) => {
  const skip = missing.includes(format);
  const ifHere = (name: string, run: () => Promise<void>): void =>
    test.skipIf(skip)(`${name}${skip ? ` (there is no ${PROGRAMS[format]})` : ''}`, run);

  ifHere('all parts of a file are unpacked, with holes for zeros', async () => {
    const { bytes, notes, sizeBytes } = await unpacked(format, Buffer.concat([pack(format, one), pack(format, two)]));
    expect(bytes.equals(both)).toBe(true);
    expect([notes, sizeBytes]).toEqual([[], both.byteLength]);
    expect((await stat(join(folder, `temporary-${count}`))).blocks * 512).toBeLessThan(both.byteLength - MIB);
  });

  ifHere('zeros behind are nothing', async () => {
    const { bytes, notes } = await unpacked(format, Buffer.concat([pack(format, one), zeros]));
    expect([bytes.equals(one), notes]).toEqual([true, []]);
  });

  ifHere('other bytes behind are left out, and told', async () => {
    for (const behind of [signature, Buffer.concat([Buffer.alloc(8), signature])]) {
      const { bytes, notes } = await unpacked(format, Buffer.concat([pack(format, one), behind]));
      expect([bytes.equals(one), notes]).toEqual([
        true,
        [`${behind.byteLength} bytes behind the compressed data were ignored: signatures are often there`],
      ]);
    }
  });

  ifHere('a second part whose first byte is damaged is no signature', async () => {
    const second = pack(format, two);
    second[0] = 0;
    await refused(
      format,
      Buffer.concat([pack(format, one), second]),
      /looks like (another part|a damaged frame)|between two parts|xz says/,
    );
  });

  ifHere('cut anywhere in the last part it is refused', async () => {
    const [first, second] = [pack(format, one), pack(format, two)];
    for (const length of [5, Math.floor(second.byteLength / 2), second.byteLength - 1]) {
      await refused(format, Buffer.concat([first, second.subarray(0, length)]), /cannot be unpacked: (?!.*undamaged sections)/);
    }
  });

  ifHere('damaged in the middle it is refused', async () => {
    const packed = pack(format, one);
    packed.fill(0x55, 100_000, 100_400);
    await refused(format, packed, 'cannot be unpacked');
  });

  ifHere('an archive inside is told at once', async () => {
    const tar = Buffer.alloc(20 * MIB);
    tar.write('disk.img', 0);
    tar.write('ustar\x0000', 257);
    const read: number[] = [];
    await refused(format, pack(format, tar), 'holds is a tar archive, not an image', { beforeWrite: (bytes) => read.push(bytes) });
    expect(read.length).toBeLessThan(8);
  });

  ifHere('compressed twice is told', async () => {
    await refused(format, pack(format, gzipSync(randomBytes(50_000))), 'compressed once more, by gzip');
  });

  ifHere('more than a disk may have here is refused', async () => {
    await refused(format, pack(format, both), 'is more than the 0.0 GB that disks may have here', {
      limits: { largestDiskBytes: 2 * MIB, exactBytes: null },
    });
    await refused(format, pack(format, both), 'is more than the 1000 bytes that its .bmap says', {
      limits: { ...limits, exactBytes: 1000 },
    });
  });

  ifHere('it can be stopped', async () => {
    const [controller, reason] = [new AbortController(), new Error('enough')];
    const going = unpacked(format, pack(format, both), { signal: controller.signal, onBytes: () => controller.abort(reason) });
    await expect(going).rejects.toBe(reason);
    expect(await descriptorsOf(folder)).toBe(0);
  });
});

test.skipIf(missing.includes('bzip2'))('of bzip2 the first line of its words is told', async () => {
  const packed = pack('bzip2', one);
  await refused(
    'bzip2',
    packed.subarray(0, packed.byteLength - 5000),
    'cannot be unpacked: bzip2 says: Compressed file ends unexpectedly;',
  );
});

test('a gzip part behind zeros is unpacked, and headers may have everything', async () => {
  const plain = gzipSync(two);
  const header = Buffer.concat([
    plain.subarray(0, 3),
    Buffer.from([0x1e]),
    plain.subarray(4, 10),
    Buffer.from('\x03\x00abcname\x00comment\x00\x00\x00', 'latin1'),
  ]);
  const { bytes } = await unpacked('gzip', Buffer.concat([gzipSync(one), zeros, header, plain.subarray(10), Buffer.alloc(3)]));
  expect(bytes.equals(both)).toBe(true);
  const wrong = Buffer.from(plain);
  wrong.writeUInt32LE(1, wrong.byteLength - 4);
  await refused('gzip', wrong, 'incorrect length check');
  wrong.writeUInt32LE(1, wrong.byteLength - 8);
  await refused('gzip', wrong, 'incorrect data check');
});

test('as many gzip parts as there are', async () => {
  const parts = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i * 7, i));
  const { bytes } = await unpacked('gzip', Buffer.concat(parts.map((part) => gzipSync(part))));
  expect(bytes.equals(Buffer.concat(parts))).toBe(true);
});

describe.skipIf(missing.includes('zstd'))('zstd', () => {
  const skippable = Buffer.concat([Buffer.from('5a2a4d1804000000', 'hex'), Buffer.from('abcd')]);

  test('skippable frames are passed over in front, between and behind', async () => {
    const { bytes, notes } = await unpacked('zstd', Buffer.concat([skippable, pack('zstd', one), skippable, pack('zstd', two), skippable]));
    expect([bytes.equals(both), notes]).toEqual([true, []]);
  });

  test('a window of 2 GiB is unpacked', async () => {
    const packed = execFileSync('zstd', ['-q', '-c', '-1', '--long=31'], { input: both, maxBuffer: 64 * MIB });
    expect((await unpacked('zstd', packed)).bytes.equals(both)).toBe(true);
  });

  test('a frame that says how much it holds is refused before it is unpacked', async () => {
    const header = Buffer.from('28b52ffde0' + '0000000000000400', 'hex'); // 1 PiB
    await refused('zstd', Buffer.concat([header, Buffer.from('010000', 'hex'), Buffer.alloc(4)]), 'is more than 2 TiB');
  });
});
