import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TelnetSession as Telnet } from '../../src/telnet/session.js';
import { findDiskFile } from '../../src/testbed/stamp-place.js';
import { systemHost, type Host } from '../../src/util/host.js';
import { run, scratch } from '../helpers/cli.js';
import { ramdisk, shellsHere } from '../helpers/ramdisk.js';

const LINE = '2026-11-28@09:00 - node fit01 - image theirs in /mnt/x - by another tool';
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const tool = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: 'utf8', env });
const noTools = ['mke2fs', 'e2fsck', 'debugfs'].every((name) => !tool(name, '-V').error) ? '' : ' (skipped: there are no e2fsprogs)';
const textOn = async (diskPath: string, path: string): Promise<string | undefined> =>
  (await findDiskFile(diskPath, path))?.content.toString();

/** Types each line; gives the statuses, and what was printed behind those that failed. */
async function type(telnet: Telnet, ...lines: string[]): Promise<(number | string)[]> {
  const said: (number | string)[] = [];
  for (const line of lines) {
    let last = '';
    const { status } = await telnet.run(line, {
      signal: new AbortController().signal,
      silenceTimeoutMs: 20_000,
      onLine: (text) => void (last = text),
    });
    said.push(status === 0 ? 0 : `${status} ${last.trim()}`);
  }
  return said;
}

function isSound(diskPath: string): boolean {
  const partition = join(scratch(), 'partition');
  const disk = readFileSync(diskPath);
  writeFileSync(partition, disk.subarray(disk.readUInt32LE(454) * 512));
  return (
    tool('e2fsck', '-f', '-n', partition).status === 0 &&
    /Mode: +0644 [^]*User: +0 +Group: +0 /.test(tool('debugfs', '-R', 'stat /etc/rhubarbe-image', partition).stdout)
  );
}

describe.skipIf(noTools !== '').each(shellsHere)(`in a shell of %s${noTools}`, (...candidate) => {
  test('a file that another tool makes on the mounted disk is on the disk, and in an image of it', async () => {
    const { telnet, diskPath } = await ramdisk(candidate);
    const file = '/mnt/etc/rhubarbe-image';
    expect(await type(telnet, 'mount /dev/sda1 /mnt', `echo "${LINE}" >> ${file}`, 'umount /mnt')).toEqual([0, 0, 0]);
    expect(await textOn(diskPath, 'etc/rhubarbe-image')).toBe(`${LINE}\n`);
    expect(await type(telnet, `mount /dev/sda1 /mnt && echo "${LINE}" >>${file} && umount /dev/sda1`, `tail -n 1 ${file}`)).toEqual([
      0,
      expect.stringMatching(/^1 /),
    ]);
    expect(await textOn(diskPath, 'etc/rhubarbe-image')).toBe(`${LINE}\n${LINE}\n`);
    expect(isSound(diskPath)).toBe(true);
    const [image, copy] = [join(scratch(), 'image.ndz'), join(scratch(), 'copy')];
    expect((await run('imaging-image', ['zip', '-q', diskPath, image])).code).toBe(0);
    expect((await run('imaging-image', ['unzip', '-q', image, copy])).code).toBe(0);
    expect(await textOn(copy, 'etc/rhubarbe-image')).toBe(`${LINE}\n${LINE}\n`);
  });

  test('mounts on a folder that was made for it; files grow beyond their blocks, in folders that are new', async () => {
    const { telnet, diskPath } = await ramdisk(candidate);
    const lines = [
      'mkdir -p /media/mine/deep',
      'mount -t ext4 /dev/sda1 /media/mine/deep',
      'printf "%09000d" 7 >> /media/mine/deep/etc/imaging-image',
      'mkdir /media/mine/deep/etc/new',
      'echo so > /media/mine/deep/etc/new/file',
      'umount /media/mine/deep',
    ];
    expect(await type(telnet, ...lines)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await textOn(diskPath, 'etc/imaging-image')).toMatch(/^\d{4}-.* - image demo - by imaging\n0{8999}7$/);
    expect(await textOn(diskPath, 'etc/new/file')).toBe('so\n');
  });

  test('says what it cannot do', async () => {
    const { telnet } = await ramdisk(candidate);
    expect(await type(telnet, 'mount /dev/sda1 /mnt/nowhere', 'mount /dev/sda1 /etc', 'mount /dev/sda2 /mnt', 'umount /mnt')).toEqual([
      '32 mount: mounting /dev/sda1 on /mnt/nowhere failed: No such file or directory',
      expect.stringMatching(/^1 mount: this node has/),
      expect.stringMatching(/^1 mount: this node has/),
      '1 umount: /mnt: not mounted',
    ]);
  });
});

test.skipIf(shellsHere.length === 0)('a disk that was made without a file system takes new files as well', async () => {
  const withoutTools: Host = {
    ...systemHost,
    spawn: ((_program: string, args: string[], options: object) => spawn('/nonexistent', args, options)) as Host['spawn'],
  }; // as: one of its many forms
  const { telnet, diskPath } = await ramdisk(shellsHere[0] ?? ['sh', []], {}, withoutTools);
  const hello = await textOn(diskPath, 'etc/hostname');
  expect(await type(telnet, 'mount /dev/sda1 /mnt', `echo "${LINE}" >> /mnt/etc/rhubarbe-image`, 'umount /mnt')).toEqual([0, 0, 0]);
  expect(await textOn(diskPath, 'etc/rhubarbe-image')).toBe(`${LINE}\n`);
  expect(await textOn(diskPath, 'etc/hostname')).toBe(hello);
});
