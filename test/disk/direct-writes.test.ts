import { execFileSync } from 'node:child_process';
import { constants, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openDirect } from '../../src/disk/direct.js';
import { DirectReads } from '../../src/disk/direct-reads.js';
import { DirectWrites } from '../../src/disk/direct-writes.js';
import { openWrites } from '../../src/disk/open-writes.js';
import { openTarget, type OpenTarget } from '../../src/disk/target.js';
import { fileSpace, type FileSpace } from '../../src/native/file-space.js';
import { directIo, type DirectMemory } from '../../src/native/direct-io.js';
import { temporaryFolder } from '../helpers/images.js';
import { hasLoop, loopOf } from '../helpers/loop.js';

const MIB = 1024 * 1024;

async function memory(): Promise<DirectMemory> {
  const newMemory = await directIo.get();
  if (!newMemory) throw new Error((await directIo.whyOff()) ?? '');
  return newMemory;
}

/** A device with sectors of that size, what is on its medium (and in no cache of it), and it opened. */
async function device(sizeBytes: number, sectorBytes: number): Promise<{ target: OpenTarget; medium: () => Promise<Buffer> }> {
  const { device: path, file } = await loopOf(Buffer.alloc(sizeBytes, 'old'), ['-b', String(sectorBytes)]);
  const target = await openTarget(path);
  onTestFinished(() => target.discard());
  return { target, medium: () => readFile(file) };
}

test('without system calls a target has no way past the cache, nor has a regular file', async () => {
  const path = join(await temporaryFolder(), 'disk');
  const target = await openTarget(path);
  expect(target.direct).toBeNull();
  await target.discard();
});

// needs root and loop devices
describe.skipIf(!hasLoop)('a block device', () => {
  test.each([512, 4096])('is asked for its sectors: %i bytes', async (sectorBytes) => {
    const { target } = await device(MIB, sectorBytes);
    expect(target.direct).toMatchObject({ unitBytes: sectorBytes });
    vi.stubEnv('IMAGING_NATIVE_OFF', 'udp-batches direct-io');
    onTestFinished(() => void vi.unstubAllEnvs());
    const handle = await open(target.path);
    onTestFinished(() => handle.close());
    expect(await openDirect(handle, false)).toBeNull();
  });

  const places = fc.array(
    fc.record({
      gap: fc.oneof(fc.constant(0), fc.nat(20), fc.nat(9000)),
      sizeBytes: fc.oneof(fc.nat(70), fc.nat(9000), fc.nat(3 * MIB)),
      isZeros: fc.boolean(),
    }),
    { minLength: 1, maxLength: 40 },
  );

  test.each([
    [512, 1],
    [512, 512],
    [4096, 1],
    [4096, 512],
  ])(
    'with sectors of %i bytes holds what is put in pieces of any multiple of %i, in any order, and nothing else is touched',
    async (sectorBytes, multiple) => {
      const sizeBytes = 24 * MIB;
      const { target, medium } = await device(sizeBytes, sectorBytes);
      const model = await medium();
      let seed = 0;
      await fc.assert(
        fc.asyncProperty(places, fc.boolean(), fc.nat(sizeBytes / 2), async (list, backwards, from) => {
          await readFile(target.path); // so that there is much to be forgotten
          const writes = await openWrites(target, 3);
          expect(writes).toBeInstanceOf(DirectWrites);
          let at = Math.floor(from / multiple) * multiple;
          const puts: { offset: number; bytes: Buffer; isZeros: boolean }[] = [];
          for (const { gap, sizeBytes: wanted, isZeros } of list) {
            at = Math.min(at + gap * multiple, sizeBytes);
            const bytes = Buffer.alloc(
              Math.max(0, Math.min(Math.floor(wanted / multiple) * multiple, sizeBytes - at)),
              isZeros ? 0 : `${++seed}.`,
            );
            puts.push({ offset: at, bytes, isZeros });
            at += bytes.byteLength;
          }
          for (const { offset, bytes, isZeros } of backwards ? puts.reverse() : puts) {
            await (isZeros ? writes.putZeros(offset, bytes) : writes.put(offset, bytes));
            model.set(bytes, offset);
            bytes.fill(0); // it has a copy
          }
          await writes.drain();
          await writes.close();
        }),
        { numRuns: 12, endOnFailure: true },
      );
      await target.commit(null);
      expect(Buffer.compare(await medium(), model)).toBe(0);
    },
  );

  test('keeps the order of what is written twice', async () => {
    const { target, medium } = await device(8 * MIB, 4096);
    const writes = await openWrites(target, 4);
    const model = await medium();
    const put = async (offset: number, sizeBytes: number, word: string): Promise<void> => {
      const bytes = Buffer.alloc(sizeBytes, word);
      model.set(bytes, offset);
      await writes.put(offset, bytes);
    };
    for (let round = 0; round < 20; round++) {
      await put(512 * round, 3 * MIB, `a${round}.`);
      await put(512 * 5 + 1024 * round, 2 * MIB + 512, `b${round}.`);
      await put(4096 * round, 512, `c${round}.`);
    }
    await writes.drain();
    await writes.close();
    await target.commit(null);
    expect(Buffer.compare(await medium(), model)).toBe(0);
  });

  test('that refuses a piece is written through the cache from then on', async () => {
    const { target, medium } = await device(8 * MIB, 4096);
    // as a device that takes less than it said
    const direct = { fd: target.direct?.fd ?? -1, unitBytes: 512 };
    const writes = new DirectWrites(target, { direct, newMemory: await memory(), space: { get: () => Promise.resolve(null) }, most: 2 });
    const model = await medium();
    for (const offset of [4096, 3 * MIB + 512, 6 * MIB]) {
      const bytes = Buffer.alloc(MIB + 1536, String(offset));
      model.set(bytes, offset);
      await writes.put(offset, bytes);
    }
    await writes.drain();
    await writes.close();
    const reads = new DirectReads(target, direct, await memory(), MIB);
    expect(Buffer.compare(reads.read(3 * MIB + 512, 1000), model.subarray(3 * MIB + 512, 3 * MIB + 1512))).toBe(0);
    await target.commit(null);
    expect(Buffer.compare(await medium(), model)).toBe(0);
  });

  test.each([true, false])('makes zeros of whole sectors itself, or has them written when it cannot: %s', async (can) => {
    const { target, medium } = await device(8 * MIB, 4096);
    if (!target.direct) throw new Error('no way past the cache');
    const made: [number, number][] = [];
    const real = await fileSpace.get();
    const space: FileSpace = {
      beginSync: () => undefined,
      zeroRange(fd, offset, sizeBytes) {
        made.push([offset, sizeBytes]);
        if (!can) throw new Error('EOPNOTSUPP');
        real?.zeroRange(fd, offset, sizeBytes);
      },
    };
    const writes = new DirectWrites(target, {
      direct: target.direct,
      newMemory: await memory(),
      space: { get: () => Promise.resolve(space) },
      most: 2,
    });
    const model = (await medium())
      .fill(0, 1000, 3 * MIB)
      .fill('new', 3 * MIB, 3 * MIB + 100)
      .fill(0, 5 * MIB, 5 * MIB + 999);
    await writes.putZeros(1000, Buffer.alloc(MIB - 1000));
    await writes.putZeros(MIB, Buffer.alloc(2 * MIB));
    await writes.put(3 * MIB, Buffer.alloc(100, 'new'));
    await writes.putZeros(5 * MIB, Buffer.alloc(999));
    await writes.drain();
    await writes.close();
    await expect(writes.putZeros(0, Buffer.alloc(MIB))).rejects.toThrow('closed');
    await target.commit(null);
    expect(Buffer.compare(await medium(), model)).toBe(0);
    expect(made).toEqual(
      can
        ? [
            [4096, MIB - 4096],
            [MIB, 2 * MIB],
          ]
        : [[4096, MIB - 4096]],
    );
  });

  test('is read at any place, up to its end', async () => {
    const { target, medium } = await device(MIB, 4096);
    const writes = await openWrites(target, 2);
    const content = Buffer.from(Array.from({ length: MIB }, (_, i) => (i * 7919) >> 5));
    await writes.put(0, content);
    await writes.drain();
    await writes.close();
    if (!target.direct) throw new Error('no way past the cache');
    const reads = new DirectReads(target, target.direct, await memory(), 10_000);
    for (const [offset, sizeBytes] of [
      [0, 10_000],
      [1, 1],
      [4095, 2],
      [512, 4096],
      [MIB - 10, 10],
      [MIB - 5000, 10_000],
      [MIB, 100],
      [MIB + 5000, 100],
    ] as const)
      expect(Buffer.compare(reads.read(offset, sizeBytes), content.subarray(offset, offset + sizeBytes))).toBe(0);
    expect((await medium()).equals(content)).toBe(true);
  });

  test('that has no room behind it fails where that is so, and by the end at the latest', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'full'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', join(folder, 'full')]);
    onTestFinished(() => void execFileSync('umount', ['-l', join(folder, 'full')]));
    const file = join(folder, 'full', 'backing');
    writeFileSync(file, '');
    truncateSync(file, 16 * MIB);
    const path = execFileSync('losetup', ['-f', '--show', file], { encoding: 'utf8' }).trim();
    onTestFinished(() => void execFileSync('losetup', ['-d', path]));
    const target = await openTarget(path);
    const writes = await openWrites(target, 2);
    const all = async (): Promise<void> => {
      for (let i = 0; i < 16; i++) await writes.put(i * MIB, Buffer.alloc(MIB, 'x'));
      await writes.drain();
    };
    await expect(all()).rejects.toThrow(
      expect.objectContaining({ code: 'disk-write-failed', message: expect.stringMatching(/at byte [3-5]\d{6}: (ENOSPC|EIO)/) as unknown }),
    );
    await expect(writes.put(0, Buffer.alloc(1))).rejects.toThrow(expect.objectContaining({ code: 'disk-write-failed' }));
    await writes.close();
    await target.discard();
  });

  test('can be left at any moment: nothing is begun afterwards', async () => {
    const { target } = await device(64 * MIB, 512);
    for (let round = 0; round < 20; round++) {
      const ending = new AbortController();
      const writes = await openWrites(target, 2, ending.signal);
      const puts = (async () => {
        for (let i = 0; i < 60; i++) await writes.put(i * MIB + 512 * round, Buffer.alloc(MIB - 512, 'x'));
      })();
      const ended = puts.catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, round % 5));
      if (round % 2 === 0) ending.abort(new Error('enough'));
      await writes.close();
      await writes.close();
      expect(await ended).toMatchObject({ message: round % 2 === 0 ? 'enough' : (expect.stringContaining('closed') as unknown) });
      await expect(writes.put(0, Buffer.alloc(1))).rejects.toThrow();
    }
  });

  test('is opened by its descriptor, whatever has taken its name meanwhile', async () => {
    const { device: path } = await loopOf(Buffer.alloc(MIB, 'old'), []);
    const handle = await open(path, constants.O_RDWR | constants.O_EXCL);
    onTestFinished(() => handle.close());
    const direct = await openDirect(handle, true);
    expect(direct).not.toBeNull();
    expect((await direct?.handle.stat())?.rdev).toBe((await handle.stat()).rdev);
    await direct?.handle.close();
  });
});
