import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fileLocks, lockFile, unlockFile, waitForLock } from '../../src/native/file-locks.js';
import { OFF_VARIABLE } from '../../src/native/switches.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { inBothModes } from './modes.js';

const hasProgram = spawnSync('flock', ['--version']).error === undefined;

function file(): string {
  const path = `${temporaryFolder()}/file`;
  writeFileSync(path, '');
  return path;
}

async function opened(path: string): Promise<FileHandle> {
  const handle = await open(path);
  onTestFinished(() => handle.close().catch(() => undefined));
  return handle;
}

await inBothModes(fileLocks, hasProgram ? null : 'needs the program flock', () => {
  test('one may have it, or several may share it', async () => {
    const path = file();
    const [one, two] = [await opened(path), await opened(path)];
    expect(await lockFile(one, 'shared')).toBe(true);
    expect(await lockFile(two, 'shared')).toBe(true);
    expect(await lockFile(two, 'exclusive')).toBe(false);
    await unlockFile(one);
    expect(await lockFile(two, 'exclusive')).toBe(true);
    expect(await lockFile(one, 'shared')).toBe(false);
  });

  test('it is one with the lock of other programs, and ends when the file is closed', async () => {
    const path = file();
    const handle = await opened(path);
    const theirs = (): number | null => spawnSync('flock', ['-n', path, 'true']).status;
    expect(theirs()).toBe(0);
    expect(await lockFile(handle, 'exclusive')).toBe(true);
    expect(theirs()).toBe(1);
    await handle.close();
    expect(theirs()).toBe(0);
    execFileSync('flock', ['-n', path, 'true']);
  });

  test('it is waited for, until the signal says that it is enough', async () => {
    const path = file();
    const [one, two] = [await opened(path), await opened(path)];
    await lockFile(one, 'exclusive');
    const controller = new AbortController();
    const waiting = waitForLock(two, 'exclusive', controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const again = waitForLock(two, 'exclusive', new AbortController().signal);
    await unlockFile(one);
    await again;
    expect(await lockFile(one, 'exclusive')).toBe(false);
  });
});

describe('without the system call and without the program', () => {
  test('says so, and locks nothing', async () => {
    const before = process.env[OFF_VARIABLE];
    process.env[OFF_VARIABLE] = 'file-locks';
    onTestFinished(() => void (before === undefined ? delete process.env[OFF_VARIABLE] : (process.env[OFF_VARIABLE] = before)));
    const nowhere = { spawn: ((_program: string, ...rest: never[]) => spawn('/nowhere/flock', ...rest)) as typeof spawn };
    await expect(lockFile(await opened(file()), 'exclusive', nowhere)).rejects.toMatchObject({
      code: 'ENOENT',
      message: 'cannot lock: there is no program flock (util-linux)',
    });
  });
});
