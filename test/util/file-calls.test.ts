import { readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callsAtOnce, callsLater, fileCalls, writeAll } from '../../src/util/file-calls.js';
import { scratch } from '../helpers/cli.js';

const ways = [
  ['at once', callsAtOnce],
  ['in the thread pool', callsLater],
] as const;

describe.each(ways)('calls for small files, %s', (_, calls) => {
  test('make, read, change and remove a file', async () => {
    const path = join(scratch(), 'x');
    const fd = await calls.open(path, 'wx+', 0o600);
    await writeAll(calls, fd, Buffer.from('first words'));
    await calls.fchmod(fd, 0o640);
    await calls.fsync(fd);
    expect(await calls.write(fd, Buffer.from('--W--'), 2, 1, 6)).toBe(1);
    const buffer = Buffer.alloc(8, '.');
    expect(await calls.read(fd, buffer, 1, 7, 6)).toBe(5);
    expect(buffer.toString()).toBe('.Words..');
    expect(await calls.read(fd, buffer, 0, 8, 11)).toBe(0);
    expect((await calls.fstat(fd)).size).toBe(11);
    await calls.close(fd);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    await calls.unlink(path);
    await expect(calls.lstat(path)).rejects.toMatchObject({ code: 'ENOENT', path });
  });

  test('make links of both kinds, and rename', async () => {
    const dir = scratch();
    const at = (name: string): string => join(dir, name);
    writeFileSync(at('file'), 'text');
    await calls.link(at('file'), at('other'));
    await calls.symlink('nowhere', at('link'));
    await calls.rename(at('link'), at('renamed'));
    expect(readFileSync(at('other'), 'utf8')).toBe('text');
    expect([await calls.readlink(at('renamed')), readlinkSync(at('renamed'))]).toEqual(['nowhere', 'nowhere']);
    expect((await calls.lstat(at('renamed'))).isSymbolicLink()).toBe(true);
  });

  test("reject with the system's error, and never throw", async () => {
    const dir = scratch();
    writeFileSync(join(dir, 'file'), '');
    const failing = [
      calls.open(join(dir, 'file'), 'wx'),
      calls.link(join(dir, 'file'), join(dir, 'file')),
      calls.readlink(join(dir, 'file')),
      calls.rename(join(dir, 'none'), join(dir, 'file')),
      calls.fstat(-1 >>> 1),
    ];
    const codes = (await Promise.allSettled(failing)).map((each) => (each.status === 'rejected' ? each.reason.code : 'worked'));
    expect(codes).toEqual(['EEXIST', 'EEXIST', 'EINVAL', 'ENOENT', 'EBADF']);
  });
});

test('only file systems of this machine are asked at once; whatever else answers, or is not there, may take its time', () => {
  expect(fileCalls(scratch())).toBe(callsAtOnce);
  expect(fileCalls('/proc')).toBe(callsLater); // stands for all that is not known to be local
  expect(fileCalls(join(scratch(), 'none'))).toBe(callsLater);
});
