import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDemoImage } from '../../src/testbed/demo-image.js';
import { readStamp } from '../../src/testbed/stamp.js';
import { findDiskFile } from '../../src/testbed/stamp-place.js';
import { systemHost, type Host } from '../../src/util/host.js';
import { scratch } from '../helpers/cli.js';

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const run = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: 'utf8', env });
const hasTools = ['mke2fs', 'e2fsck', 'debugfs'].every((name) => !run(name, '-V').error);
const PATH = 'etc/imaging-image';
const MORE = '2026-11-21@01:16 - node fit07 - image mine - by ann - from demo - "; rm -rf / #\n';

async function append(diskPath: string, text: string): Promise<string> {
  const file = await findDiskFile(diskPath, PATH);
  if (!file) throw new Error('no stamp');
  await file.write(Buffer.concat([file.content, Buffer.from(text)]));
  return file.content.toString() + text;
}

test('rewrites the stamp of a demo disk, which its system then shows', async () => {
  const { rawPath } = await makeDemoImage(scratch(), { sizeBytes: 4 << 20 });
  const expected = await append(rawPath, MORE);
  expect((await findDiskFile(rawPath, PATH))?.content.toString()).toBe(expected);
  expect(await readStamp(rawPath)).toBe(expected);
  expect(await findDiskFile(rawPath, 'etc/none')).toBeNull();
});

test('does so on one that was made without mke2fs', async () => {
  const withoutTools: Host = {
    ...systemHost,
    spawn: ((_program: string, args: string[], options: object) => spawn('/nonexistent', args, options)) as Host['spawn'],
  }; // as: one of its many forms
  const { rawPath, hasFileSystem } = await makeDemoImage(scratch(), { sizeBytes: 4 << 20, host: withoutTools });
  expect(hasFileSystem).toBe(false);
  const before = readFileSync(rawPath);
  const expected = await append(rawPath, MORE);
  expect((await findDiskFile(rawPath, PATH))?.content.toString()).toBe(expected);
  expect(await readStamp(rawPath)).toBe(expected);
  const after = readFileSync(rawPath);
  const partition = before.readUInt32LE(454) * 512;
  expect(after.subarray(0, partition).equals(before.subarray(0, partition))).toBe(true);
  expect(after.subarray(partition + 4096).equals(before.subarray(partition + 4096))).toBe(true);
});

test.skipIf(!hasTools).each(['^metadata_csum', 'metadata_csum,64bit', 'metadata_csum,metadata_csum_seed'])(
  'leaves a file system with %s sound',
  async (features) => {
    const folder = scratch();
    mkdirSync(join(folder, 'root/etc'), { recursive: true });
    writeFileSync(join(folder, 'root', PATH), 'first\n');
    const [partition, disk] = [join(folder, 'partition'), join(folder, 'disk')];
    writeFileSync(partition, '');
    truncateSync(partition, 8 << 20);
    expect(run('mke2fs', '-q', '-F', '-t', 'ext4', '-O', features, '-d', join(folder, 'root'), partition).status).toBe(0);
    const bootRecord = Buffer.alloc(64 * 512);
    bootRecord.set([0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff], 446);
    bootRecord.writeUInt32LE(64, 454);
    bootRecord.writeUInt32LE((8 << 20) / 512, 458);
    bootRecord.writeUInt16LE(0xaa55, 510);
    writeFileSync(disk, Buffer.concat([bootRecord, readFileSync(partition)]));
    expect(await append(disk, MORE)).toBe(`first\n${MORE}`);
    expect((await findDiskFile(disk, PATH))?.capacityBytes).toBeGreaterThan(500);
    writeFileSync(partition, readFileSync(disk).subarray(bootRecord.length));
    expect(run('e2fsck', '-f', '-n', partition)).toMatchObject({ status: 0 });
    expect(run('debugfs', '-R', `cat ${PATH}`, partition).stdout).toBe(`first\n${MORE}`);
  },
);

test('finds nothing on an empty disk', async () => {
  const disk = join(scratch(), 'disk');
  writeFileSync(disk, Buffer.alloc(1 << 20));
  expect(await findDiskFile(disk, PATH)).toBeNull();
});
