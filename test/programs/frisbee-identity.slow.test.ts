import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ChunkHeader } from '../../src/ndz/codec/format.js';
import { openDiskSink } from '../../src/ndz/apply/disk-sink.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { client, place, serving } from '../helpers/frisbee-programs.js';
import { chunkOf, headerOf, UUID } from '../helpers/bytes.js';
import { chunksOf } from '../helpers/images.js';

const OTHER = 'ffffffffffffffffffffffffffffffff';

/** Chunks of 8 sectors each, one after the other; `changes` are made to single ones. */
function image(count: number, changes: Record<number, Partial<ChunkHeader>> = {}, all: Partial<ChunkHeader> = {}): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const start = 8 * index;
      const header = headerOf({
        index,
        firstSector: start,
        lastSector: start + 8,
        regions: [{ startSector: start, sectorCount: 8 }],
        ...all,
        ...changes[index],
      });
      return chunkOf(header, randomBytes(8 * 512));
    }),
  );
}

/** Receives into a file that holds `old`; what became of it. */
async function receive(
  served: Buffer,
  options = '',
  env: Record<string, string> = {},
): Promise<{ code: number; text: string; content: string }> {
  const path = join(temporaryFolder(), 'disk');
  writeFileSync(path, 'old');
  const at = await serving(served);
  const { done, stderr } = client(`-q -O ${options} -i 127.0.3.1 ${at} ${path}`.replaceAll('  ', ' '), { env });
  return { code: await done, text: stderr.text, content: readFileSync(path, 'latin1') };
}

describe('an image UUID that was asked for', () => {
  test('is accepted when every chunk has it, however it is written', async () => {
    const dashed = `${UUID.slice(0, 8)}-${UUID.slice(8, 12)}-${UUID.slice(12, 16)}-${UUID.slice(16, 20)}-${UUID.slice(20)}`.toUpperCase();
    for (const [options, env] of [
      [`--image-uuid ${UUID}`, {}],
      [`--image-uuid=${dashed}`, {}],
      [`-u 0x${UUID}`, {}],
      ['', { IMAGING_FRISBEE_UUID: UUID }],
    ] as const) {
      const { code, content } = await receive(image(2), options, env);
      expect(code).toBe(0);
      expect(content).toHaveLength(2 * 8 * 512);
    }
  });

  test('another image: 65 (with -u 1), both UUIDs are named, and the output is as it was', async () => {
    for (const [options, env, status] of [
      [`--image-uuid ${OTHER}`, {}, 65],
      [`-u ${OTHER}`, {}, 1],
      ['', { IMAGING_FRISBEE_UUID: OTHER }, 65],
    ] as const) {
      const { code, text, content } = await receive(image(3), options, env);
      expect(code).toBe(status);
      expect(text).toContain(`belongs to image ${UUID}; expected image ${OTHER} (does another server use this group and port?)\n`);
      expect(content).toBe('old');
    }
  });

  test('images of versions 1 to 3 carry none: 65', async () => {
    for (const version of [1, 2, 3] as const) {
      const { code, text, content } = await receive(image(1, {}, { version, uuid: null }), `--image-uuid ${UUID}`);
      expect(code).toBe(65);
      expect(text).toContain(`is of format version ${version}, which carries no image UUID`);
      expect(content).toBe('old');
    }
  });

  test('another one later on: 65', async () => {
    const { code, text } = await receive(image(3, { 2: { uuid: OTHER } }), `--image-uuid ${UUID}`);
    expect(code).toBe(65);
    expect(text).toContain(`chunk 2 belongs to image ${OTHER}`);
  });

  test('nonsense, or a transfer without decompression, is refused at once', async () => {
    for (const [options, reason] of [
      ['--image-uuid 12', 'not 32 hexadecimal digits'],
      [`-N --image-uuid ${UUID}`, 'do not go together'],
      ['--image-uuid', 'requires an argument'],
    ] as const) {
      const { done, stderr } = client(`-i 127.0.3.1 ${place()} ${join(temporaryFolder(), 'disk')} ${options}`);
      expect(await done).toBe(1);
      expect(stderr.text).toContain(reason);
    }
  });
});

describe('chunks that do not make one image', () => {
  test('end the client with 1, whatever was asked for', async () => {
    for (const [served, reason] of [
      [image(3, { 1: { uuid: OTHER } }), 'belongs to another image'],
      [image(3, { 1: { index: 2 } }), 'chunk 1 is numbered 2'],
    ] as const) {
      const { code, text } = await receive(served);
      expect(code).toBe(1);
      expect(text).toMatch(new RegExp(`\\nfrisbee: .*${reason}`));
    }
  });

  test.each([
    ['two versions', image(3, { 1: { version: 3, uuid: null } }), 'ndz-uuid-mismatch', 'belongs to another image'],
    ['a number out of range', image(3, { 2: { index: 7 } }), 'ndz-chunk-order', 'chunk 2 is numbered 7'],
    ['more chunks than the session has', image(4), 'ndz-chunk-order', 'chunk 3 of an image of 3 chunks'],
    ['fewer', image(2), 'ndz-missing-chunk', 'chunk 2 of the image never came'],
    [
      'a count that is not that of the session',
      image(3, {}, { version: 1, uuid: null, total: 4 }),
      'ndz-truncated',
      'says the image has 4 chunks, 3 are sent',
    ],
    [
      'sectors nobody speaks for',
      image(3, { 1: { firstSector: 9, lastSector: 17, regions: [{ startSector: 9, sectorCount: 8 }] } }),
      'ndz-chunk-order',
      'speaks for sectors from 9 on',
    ],
    [
      'a first chunk that is not the first',
      image(3, { 0: { firstSector: 1, lastSector: 9, regions: [{ startSector: 1, sectorCount: 8 }] } }),
      'ndz-chunk-order',
      'chunk 0 speaks for sectors from 1 on',
    ],
    [
      'sectors written twice',
      image(3, { 1: { regions: [{ startSector: 4, sectorCount: 8 }] } }, { version: 1, uuid: null }),
      'ndz-chunk-order',
      'chunk 1',
    ],
    ['noise', Buffer.concat([image(1), randomBytes(2 << 20)]), 'ndz-bad-magic', 'chunk 1'],
  ] as const)('%s', async (_, served, code, reason) => {
    const sink = await openDiskSink(join(temporaryFolder(), 'disk'));
    await sink.begin?.(3 << 20);
    const apply = async (): Promise<void> => {
      for (const [index, chunk] of chunksOf(served).entries()) await sink.write(chunk, index);
      await sink.finish();
    };
    await expect(apply()).rejects.toMatchObject({ code, message: expect.stringContaining(reason) as unknown });
    await sink.abort();
  });
});

describe('-S', () => {
  test('of two servers in one session only the one named is listened to', async () => {
    const at = place();
    const [wanted, other] = [image(2), image(3)];
    await serving(other, { at, ip: '127.0.0.2' });
    await serving(wanted, { at, ip: '127.0.0.9' });
    for (const [server, sizeBytes] of [
      ['127.0.0.9', 2 * 4096],
      ['127.0.0.2', 3 * 4096],
    ] as const) {
      const path = join(temporaryFolder(), 'disk');
      const { done } = client(`-q -S ${server} -i 127.0.3.1 ${at} ${path}`);
      expect(await done).toBe(0);
      expect(readFileSync(path)).toHaveLength(sizeBytes);
    }
  });
});

describe('options', () => {
  test.each([
    ['-F x', 'master server'],
    ['-Q x', 'master server'],
    ['-X mcast', 'transfer method'],
    ['-B 3', 'master server'],
    ['-c key', 'signed images'],
    ['-e key', 'encrypted images'],
    ['-D 7', '-D needs -s'],
    ['-N -s 1', 'do not go together'],
    ['-D x -s 1', '-D takes a number'],
    ['-S not.a.host.invalid', '-S not.a.host.invalid: '],
    ['-b', 'contradict'],
  ])('%s is refused with a reason', async (options, reason) => {
    const path = join(temporaryFolder(), 'disk');
    const { done, stderr } = client(`${options} -i 127.0.3.1 -m 239.77.0.1 -p 19999 ${path}`);
    expect(await done).toBe(1);
    expect(stderr.text).toContain(reason);
    expect(existsSync(path)).toBe(false);
  });

  test('what only tunes is accepted, and tells on the statistics', async () => {
    const { code, text } = await receive(image(3));
    expect(code).toBe(0);
    expect(text).not.toContain('Params');
    const path = join(temporaryFolder(), 'disk');
    const at = await serving(image(3));
    const tuned = client(`-d -f -n -r -W 8 -M 4 -R 1 -I 50 -i 127.0.3.1 ${at} ${path}`);
    expect(await tuned.done).toBe(0);
    expect(tuned.stderr.text).toMatch(
      /start delay: +0\.\d{3} sec\n[^]*chunk buffers: +2\n[^]*readahead\/inprogress: 1\/2\n[^]*re-request delay: +50000\n/,
    );
  });
});

describe('a disk that fails', () => {
  test('no room: 1, with the place and the cause, and the server hears that the client left', async () => {
    const at = await serving(image(3));
    const { done, stderr } = client(`-q -i 127.0.3.1 ${at} /dev/full`);
    expect(await done).toBe(1);
    expect(stderr.text).toMatch(/\nfrisbee: writing \/dev\/full at byte \d+: ENOSPC.* \(no room: /);
  });

  const whyNoMount = ((): string | null => {
    if (process.getuid?.() !== 0) return 'needs root';
    const probe = join('/tmp', `imaging-mount-${process.pid}`);
    mkdirSync(probe, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', probe], { stdio: 'pipe' });
      execFileSync('umount', [probe], { stdio: 'pipe' });
      return null;
    } catch {
      return 'cannot mount here';
    } finally {
      execFileSync('rmdir', [probe]);
    }
  })();

  test.skipIf(whyNoMount !== null)('a file system that fills up, as an image and as it is (-N)', async () => {
    const folder = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    onTestFinished(() => void execFileSync('umount', [folder]));
    const large = [0, 1].map((index) => {
      const region = { startSector: 3000 * index, sectorCount: 3000 };
      return chunkOf(
        headerOf({ index, firstSector: region.startSector, lastSector: region.startSector + 3000, regions: [region] }),
        Buffer.alloc(3000 * 512, 'text'),
      );
    });
    for (const options of ['', '-N ']) {
      const at = await serving(Buffer.concat(large));
      const { done, stderr } = client(`-q ${options}-i 127.0.3.1 ${at} ${folder}/disk`);
      expect(await done).toBe(1);
      expect(stderr.text).toMatch(/\nfrisbee: writing .*disk at byte \d+: ENOSPC/);
    }
    expect(readdirSync(folder)).toEqual(['disk']);
  });
});
