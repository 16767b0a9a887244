import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BufferedWrites } from '../../src/disk/buffered-writes.js';
import { WriteBehind } from '../../src/disk/write-behind.js';
import type { FileSpace } from '../../src/native/file-space.js';
import { temporaryFolder } from '../helpers/images.js';

const MIB = 1024 * 1024;

test('the kernel is told of what was written, in steps, and is not asked again where it refuses', async () => {
  const told: [number, number][] = [];
  let [asked, refuses] = [0, false];
  const space: FileSpace = {
    zeroRange: () => undefined,
    beginSync(_fd, offset, sizeBytes) {
      told.push([offset / MIB, sizeBytes / MIB]);
      if (refuses) throw new Error('ESPIPE');
    },
  };
  const get = (): Promise<FileSpace> => {
    asked++;
    return Promise.resolve(space);
  };
  const behind = new WriteBehind(0, { get });
  for (const at of [20, 4, 8]) await behind.wrote(at * MIB, 2 * MIB);
  expect(asked).toBe(0); // small files are none of its business
  await behind.wrote(10 * MIB, 2 * MIB);
  expect(told).toEqual([[4, 18]]);
  refuses = true;
  for (let i = 0; i < 3; i++) await behind.wrote(30 * MIB, 8 * MIB);
  expect(told).toEqual([
    [4, 18],
    [30, 8],
  ]);
});

// the real call, on whatever this machine's temporary files are on
test('a file that is written out meanwhile is what was written', async () => {
  const path = join(await temporaryFolder(), 'file');
  const handle = await open(path, 'w+');
  const writes = new BufferedWrites({ fd: handle.fd, path }, 4, true);
  for (let i = 0; i < 40; i++) await writes.put(i * MIB, Buffer.alloc(MIB, `${i}`));
  await writes.drain();
  await writes.close();
  const content = await handle.readFile();
  await handle.close();
  expect(content.equals(Buffer.concat(Array.from({ length: 40 }, (_, i) => Buffer.alloc(MIB, `${i}`))))).toBe(true);
});

test('what cannot be written out, as a pipe, is no failure', async () => {
  const path = join(await temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  const handle = await open(path, 'r+');
  onTestFinished(() => handle.close());
  await new WriteBehind(handle.fd).wrote(0, 8 * MIB);
});
