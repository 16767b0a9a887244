import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { ensureNdz, type ConvertOptions, type ConvertPhase } from '../../src/images/convert.js';
import { formatOf } from '../../src/images/formats.js';
import { applyImage } from '../../src/ndz/apply/apply.js';
import { verifyImage } from '../../src/ndz/check/verify.js';
import { writeImage } from '../../src/ndz/write/writer.js';
import { systemHost } from '../../src/util/host.js';
import { descriptorsOf, temporaryFolder } from '../helpers/images.js';

const MIB = 1024 * 1024;
const failure = (code: string, words: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(words) as unknown });
const has = (program: string): boolean => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'imaging-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', dir], { stdio: 'ignore' });
    execFileSync('umount', [dir]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A disk of 6 MiB with one partition of a kind nobody knows. */
const disk = Buffer.concat([Buffer.alloc(MIB), randomBytes(2 * MIB), Buffer.alloc(2 * MIB), Buffer.alloc(MIB, 'text ')]);
disk[450] = 0x8e;
disk.writeUInt32LE(2048, 454);
disk.writeUInt32LE(10_240, 458);
disk.writeUInt16LE(0xaa55, 510);

let folder: string;
let cacheDir: string;
/** What is in the user's own folder of the cache. */
const own = (...names: string[]): string => join(cacheDir, String(systemHost.uid()), ...names);
const path = (name: string): string => join(folder, name);
const convert = (name: string, options: Partial<ConvertOptions> = {}): ReturnType<typeof ensureNdz> =>
  ensureNdz(path(name), { cacheDir, ...options });
const restored = async (ndz: string): Promise<Buffer> => {
  await applyImage(ndz, path('restored'));
  return readFile(path('restored'));
};
const leftovers = async (): Promise<string[]> => (await readdir(own())).filter((name) => !/^[0-9a-f-]+\.(ndz|json|ndz\.json)$/.test(name));

beforeEach(async () => {
  folder = await temporaryFolder();
  cacheDir = join(folder, 'cache');
});

test.each([
  ['ndz', '6c696969'],
  ['ndz', '69696969'],
  ['gzip', '1f8b08000000'],
  ['xz', 'fd377a585a0000'],
  ['zstd', '28b52ffd00'],
  ['bzip2', '425a68393141592653'],
  ['raw', '6d696969'],
  ['raw', '1f8b00'],
  ['raw', '425a68656c6c6f'],
  ['raw', ''],
  ['raw', 'eb63'],
])('%s is told by how it begins: %s', (format, hex) => {
  expect(formatOf(Buffer.from(hex, 'hex'))).toBe(format);
});

describe('becomes an .ndz that is the disk', () => {
  const compress =
    (program: string, args: string[] = []) =>
    (bytes: Buffer): Buffer =>
      execFileSync(program, ['-c', ...args], { input: bytes, maxBuffer: 64 * MIB });
  const forms: [string, (bytes: Buffer) => Buffer, string | null][] = [
    ['raw', (bytes) => bytes, null],
    ['gzip', (bytes) => gzipSync(bytes), null],
    ['gzip of two members', (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 100)), gzipSync(bytes.subarray(100))]), null],
    ['xz', compress('xz', ['-1']), 'xz'],
    ['zstd', compress('zstd', ['-q']), 'zstd'],
    ['bzip2', compress('bzip2'), 'bzip2'],
  ];
  for (const [name, pack, program] of forms) {
    // needs the program
    test.skipIf(program !== null && !has(program))(name, async () => {
      await writeFile(path('image'), pack(disk)); // its name says nothing
      const phases = new Set<ConvertPhase>();
      const first = await convert('image', { onProgress: (phase) => phases.add(phase) });
      expect(first).toMatchObject({
        converted: true,
        format: name.split(' ')[0],
        sha256: createHash('sha256').update(pack(disk)).digest('hex'),
      });
      expect(await verifyImage(first.path)).toMatchObject({ version: 4, checksums: true, diskBytes: disk.byteLength });
      expect(Buffer.compare(await restored(first.path), disk)).toBe(0);
      expect(first.notes.join()).toContain('saved raw');
      expect([...phases]).toEqual(name === 'raw' ? ['hash', 'zip'] : ['hash', 'unpack', 'zip']);
      const before = (await stat(first.path)).ino;
      expect(await convert('image')).toEqual({ ...first, converted: false });
      expect((await stat(first.path)).ino).toBe(before);
      expect(await leftovers()).toEqual([]);
      expect(await descriptorsOf(folder)).toBe(0);
    });
  }

  test('unless it is one', async () => {
    await writeFile(path('raw'), disk);
    await writeImage(path('raw'), path('image'));
    expect(await convert('image')).toEqual({ path: path('image'), format: 'ndz', converted: false, sha256: null, notes: [] });
  });

  test('or one in there', async () => {
    await writeFile(path('raw'), disk);
    await writeImage(path('raw'), path('x.ndz'));
    await writeFile(path('image'), gzipSync(await readFile(path('x.ndz'))));
    const { path: ndz } = await convert('image');
    expect(Buffer.compare(await readFile(ndz), await readFile(path('x.ndz')))).toBe(0);
  });
});

describe('the cache', () => {
  test('knows a file by content, wherever it lies', async () => {
    await writeFile(path('image'), disk);
    await writeFile(path('copy'), disk);
    const first = await convert('image');
    expect(await convert('copy')).toEqual({ ...first, converted: false });
  });

  test('sees that a file is another one now', async () => {
    await writeFile(path('image'), disk);
    const first = await convert('image');
    const changed = Buffer.from(disk).fill('new', 3 * MIB, 3 * MIB + 3);
    await writeFile(path('image'), changed);
    const second = await convert('image');
    expect(second.path).not.toBe(first.path);
    expect(Buffer.compare(await restored(second.path), changed)).toBe(0);
  });

  test('makes again what was lost or damaged', async () => {
    await writeFile(path('image'), disk);
    const { path: ndz } = await convert('image');
    await writeFile(ndz, 'not an image');
    expect(await convert('image')).toMatchObject({ path: ndz, converted: true });
    expect(Buffer.compare(await restored(ndz), disk)).toBe(0);
    for (const name of await readdir(own())) if (name.endsWith('.json')) await writeFile(own(name), '{"ndz":"../../etc/passwd"}');
    expect(await convert('image')).toMatchObject({ path: ndz });
  });

  test('can be filled by many at the same time', async () => {
    await writeFile(path('image'), gzipSync(disk));
    const all = await Promise.all(Array.from({ length: 4 }, () => convert('image', { workers: 1 })));
    expect(new Set(all.map((image) => image.path)).size).toBe(1);
    expect(Buffer.compare(await restored(all[0]?.path ?? ''), disk)).toBe(0);
    expect(await leftovers()).toEqual([]);
  });

  test('forgets what nobody wanted for long, and what crashed processes left', async () => {
    await mkdir(join(cacheDir, '.convert-999999-1-abc'), { recursive: true });
    await writeFile(join(cacheDir, '.convert-999999-1-abc', 'raw'), 'x');
    await mkdir(join(cacheDir, 'something-else'));
    const old = `${'a'.repeat(64)}.ndz`;
    await writeFile(join(cacheDir, old), 'x');
    await utimes(join(cacheDir, old), 1000, 1000);
    await writeFile(path('image'), disk);
    const { path: ndz } = await convert('image');
    const names = await readdir(cacheDir);
    expect(names).not.toContain(old);
    expect(names).not.toContain('.convert-999999-1-abc');
    expect(names).toContain('something-else');
    await utimes(ndz, 1000, 1000);
    await convert('image'); // asked for: kept
    expect((await stat(ndz)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  });
});

describe('is refused, and leaves nothing', () => {
  const refused = async (name: string, code: string, words: string, options: Partial<ConvertOptions> = {}): Promise<void> => {
    await expect(convert(name, options)).rejects.toThrow(failure(code, words));
    expect((await readdir(own())).filter((each) => each.endsWith('.ndz') || each.startsWith('.'))).toEqual([]);
    expect(await descriptorsOf(folder)).toBe(0);
  };

  test('a file that holds no disk', async () => {
    await writeFile(path('image'), 'dear diary, '.repeat(10_000));
    await refused('image', 'image-unknown', 'it is a text that begins with "dear diary, dear');
    await writeFile(path('image'), randomBytes(10_000).fill(0, 0, 520));
    await refused('image', 'image-unknown', 'hold neither a partition table nor a file system');
    await writeFile(path('image'), gzipSync(Buffer.alloc(100_000, 'dear diary')));
    await refused('image', 'image-unknown', path('image'));
  });

  test('a compressed file that is cut or damaged', async () => {
    const packed = gzipSync(disk);
    await writeFile(path('image'), packed.subarray(0, packed.byteLength - 1000));
    await refused('image', 'image-damaged', 'cannot be unpacked: unexpected end of file');
    await writeFile(path('image'), Buffer.from(packed).fill(0xff, 100_000, 100_100));
    await refused('image', 'image-damaged', 'cannot be unpacked');
  });

  test.skipIf(!has('xz'))('the same by xz', async () => {
    const packed = execFileSync('xz', ['-c', '-1'], { input: disk, maxBuffer: 64 * MIB });
    await writeFile(path('image'), packed.subarray(0, packed.byteLength - 1000));
    await refused('image', 'image-damaged', 'image cannot be unpacked: xz says: Unexpected end of input');
  });

  test('one whose program is missing: says how to get it', async () => {
    await writeFile(path('image'), Buffer.concat([Buffer.from('fd377a585a00', 'hex'), Buffer.alloc(1_000_000)]));
    const host = { ...systemHost, env: { PATH: folder } };
    await expect(convert('image', { host })).rejects.toThrow(
      expect.objectContaining({ code: 'program-missing', hint: 'install it: apt install xz-utils, or dnf install xz' }),
    );
    expect(await leftovers()).toEqual([]);
  });

  test('when it is stopped', async () => {
    await writeFile(path('image'), gzipSync(disk));
    for (const wanted of ['hash', 'unpack', 'zip']) {
      const controller = new AbortController();
      const reason = new Error('enough');
      await expect(
        convert('image', { signal: controller.signal, onProgress: (phase) => phase === wanted && controller.abort(reason) }),
      ).rejects.toBe(reason);
      expect((await readdir(own())).filter((each) => each.endsWith('.ndz') || each.startsWith('.'))).toEqual([]);
    }
    expect(await descriptorsOf(folder)).toBe(0);
  });

  test.runIf(process.getuid?.() === 0 && canMount())('when the medium of the cache would be filled (needs root)', async () => {
    await mkdir(cacheDir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', cacheDir]);
    try {
      const content = Buffer.concat([disk, randomBytes(8 * MIB)]);
      content.writeUInt32LE(26_000, 458); // the partition is all of it
      for (const bytes of [gzipSync(content), content]) {
        await writeFile(path('image'), bytes);
        await refused('image', 'no-room', `${path('image')} is not converted: ${own()} has only`);
      }
    } finally {
      execFileSync('umount', [cacheDir]);
    }
  });

  test('when there is no room for the cache, or it cannot be made', async () => {
    await writeFile(path('image'), disk);
    await expect(ensureNdz(path('image'), { cacheDir: '/dev/null/cache' })).rejects.toThrow(failure('cache-unusable', '/dev/null/cache'));
    await expect(ensureNdz(path('none'), { cacheDir })).rejects.toThrow(failure('ndz-unreadable', 'ENOENT'));
  });
});

describe('with a .bmap beside it', () => {
  const bmap = (bytes: Buffer, ranges: [number, number][]): string => {
    const lines = ranges.map(
      ([first, last]) =>
        `<Range chksum="${createHash('sha256')
          .update(bytes.subarray(first * 4096, (last + 1) * 4096))
          .digest('hex')}">${first}-${last}</Range>`,
    );
    return `<bmap version="2.0"><ImageSize>${bytes.byteLength}</ImageSize><BlockSize>4096</BlockSize><ChecksumType>sha256</ChecksumType><BlockMap>${lines.join('')}</BlockMap></bmap>`;
  };

  test('it is checked', async () => {
    await writeFile(path('x.raw'), disk);
    await writeFile(
      path('x.bmap'),
      bmap(disk, [
        [0, 0],
        [256, 767],
      ]),
    );
    const good = await convert('x.raw');
    expect(Buffer.compare(await restored(good.path), disk)).toBe(0);
    const changed = Buffer.from(disk).fill('x', 2 * MIB, 2 * MIB + 10);
    await writeFile(path('x.raw'), changed);
    await expect(convert('x.raw')).rejects.toThrow(failure('bmap-mismatch', 'blocks 256 to 767'));
  });

  test('one whose name only resembles counts if it fits', async () => {
    await writeFile(path('debian-12.5.img'), disk);
    await writeFile(path('debian-12.bmap'), bmap(disk.subarray(0, 4 * MIB), [[0, 0]]));
    const { notes } = await convert('debian-12.5.img');
    expect(notes.join()).toContain('debian-12.bmap, which is of another image: of 4194304 bytes');
    await writeFile(path('debian-12.bmap'), bmap(Buffer.alloc(disk.byteLength, 'x'), [[0, 0]]));
    await expect(convert('debian-12.5.img')).rejects.toThrow(failure('bmap-mismatch', `${path('debian-12.5.img')} is not what`));
    await writeFile(path('debian-12.bmap'), 'damaged');
    expect((await convert('debian-12.5.img')).notes.join()).toContain('not compared with a .bmap');
  });

  test('names the given file, not what it was unpacked to', async () => {
    await writeFile(path('x.img.gz'), gzipSync(disk));
    await writeFile(path('x.bmap'), bmap(Buffer.concat([disk, disk]), [[0, 0]]));
    await expect(convert('x.img.gz')).rejects.toThrow(
      failure(
        'bmap-mismatch',
        `${path('x.img.gz')} is not what ${path('x.bmap')} describes: it has ${disk.byteLength} bytes when it is unpacked`,
      ),
    );
  });

  test('an image that nobody understands is saved by it', async () => {
    const content = Buffer.concat([randomBytes(MIB), Buffer.alloc(2 * MIB), randomBytes(MIB)]);
    content.fill(0, 440, 520);
    await writeFile(path('y.img'), content);
    await expect(convert('y.img')).rejects.toThrow(failure('image-unknown', 'y.img'));
    await writeFile(
      path('y.img.bmap'),
      bmap(content, [
        [0, 255],
        [768, 1023],
      ]),
    );
    const { path: ndz } = await convert('y.img');
    expect(await verifyImage(ndz)).toMatchObject({ actualBytes: 2 * MIB, diskBytes: 4 * MIB });
    expect(Buffer.compare(await restored(ndz), content)).toBe(0);
  });
});
