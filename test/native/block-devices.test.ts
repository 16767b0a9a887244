import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { blockDevices, deviceFacts, zeroRange } from '../../src/native/block-devices.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { hasLoop, loopOf } from '../helpers/loop.js';
import { inBothModes } from './modes.js';

const SIZE = 20 << 20;
const why = hasLoop ? null : 'needs root and a loop device';

async function device(options: readonly string[] = []): Promise<{ handle: FileHandle; file: string; path: string }> {
  const { device: path, file } = await loopOf(Buffer.alloc(SIZE, 'old'), options);
  const handle = await open(path, options.includes('-r') ? 'r' : 'r+');
  onTestFinished(() => handle.close());
  return { handle, file, path };
}

await inBothModes(blockDevices, why, (isOn) => {
  test.each([512, 4096])('says what a device is: sectors of %i bytes', async (sectorBytes) => {
    const { handle } = await device(['-b', String(sectorBytes)]);
    const facts = await deviceFacts(handle);
    expect(facts).toMatchObject({ sizeBytes: SIZE, logicalSectorBytes: sectorBytes, isReadOnly: false });
    expect(facts.physicalSectorBytes).toBeGreaterThanOrEqual(sectorBytes);
    expect(await blockDevices.get().then((it) => it !== null)).toBe(isOn);
  });

  test('says that it is write-protected', async () => {
    const { handle } = await device(['-r']);
    expect(await deviceFacts(handle)).toMatchObject({ sizeBytes: SIZE, isReadOnly: true });
  });

  test('a file is no device', async () => {
    const path = `${temporaryFolder()}/file`;
    writeFileSync(path, 'x');
    const handle = await open(path);
    onTestFinished(() => handle.close());
    await expect(deviceFacts(handle)).rejects.toMatchObject({ code: 'ENOTTY' });
  });

  test('zeros a part, and nothing beside it', async () => {
    const { handle, file, path } = await device();
    await zeroRange(handle, { start: 4096, sizeBytes: 17 << 20 });
    await handle.sync();
    const expected = Buffer.alloc(SIZE, 'old').fill(0, 4096, 4096 + (17 << 20));
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  test('stops between two steps when it is told to', async () => {
    const { handle } = await device();
    const reason = new Error('enough');
    await expect(zeroRange(handle, { start: 0, sizeBytes: SIZE }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

test.skipIf(why !== null || (await blockDevices.whyOff()) !== null)(
  'forgets what the cache holds; discards; refuses as the kernel does',
  async () => {
    const devices = (await blockDevices.get())!;
    const { handle, file, path } = await device();
    expect(readFileSync(path).subarray(0, 3).toString()).toBe('old');
    // behind the device's back: the cache goes on saying what was there
    execFileSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=4096', 'count=1', 'conv=notrunc,fsync', 'status=none']);
    expect(readFileSync(path).subarray(0, 3).toString()).toBe('old');
    devices.dropCache(handle.fd);
    expect(readFileSync(path).subarray(0, 4096).equals(Buffer.alloc(4096))).toBe(true);

    await devices.discard(handle.fd, { start: 1 << 20, sizeBytes: 1 << 20 });
    expect(
      readFileSync(path)
        .subarray(1 << 20, 2 << 20)
        .equals(Buffer.alloc(1 << 20)),
    ).toBe(true); // a loop punches a hole
    expect(
      readFileSync(path)
        .subarray((1 << 20) - 3, 1 << 20)
        .equals(Buffer.alloc(SIZE, 'old').subarray((1 << 20) - 3, 1 << 20)),
    ).toBe(true);
    await expect(devices.zero(handle.fd, { start: 100, sizeBytes: 512 })).rejects.toMatchObject({ code: 'EINVAL' });
    const reading = await open(path, 'r');
    onTestFinished(() => reading.close());
    await expect(devices.zero(reading.fd, { start: 0, sizeBytes: 512 })).rejects.toMatchObject({ code: 'EBADF' });
    const plain = await open(file, 'r+');
    onTestFinished(() => plain.close());
    expect(() => devices.rereadPartitions(plain.fd)).toThrow(/BLKRRPART ENOTTY/);
    // a loop set up without -P has no partitions to read (EINVAL); with them, that it is read anew is all that shows
    expect(() => devices.rereadPartitions(handle.fd)).toThrow(/BLKRRPART EINVAL/);
    const { handle: withParts } = await device(['-P']);
    expect(() => devices.rereadPartitions(withParts.fd)).not.toThrow();
  },
);
