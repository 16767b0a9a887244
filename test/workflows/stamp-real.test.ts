import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test, onTestFinished } from 'vitest';
import { makeDemoImage } from '../../src/testbed/demo-image.js';
import { openTelnet } from '../../src/telnet/session.js';
import { stampRoot, type StampResult } from '../../src/workflows/steps/stamp-root.js';
import { scratch } from '../helpers/cli.js';
import { connectWhenUp } from '../testbed/clients.js';

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const run = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: 'utf8', env });
const has = (...command: string[]): boolean => !run(command[0] ?? '', ...command.slice(1)).error;
const possible =
  process.getuid?.() === 0 &&
  has('losetup', '-V') &&
  has('mke2fs', '-V') &&
  has('debugfs', '-V') &&
  run('unshare', '-m', 'true').status === 0 &&
  run('busybox', '--list').stdout?.split('\n').includes('telnetd');

const LINE = `2026-11-21@01:16 - node fit01 - image it's "mine" \\n %s $(id) !! - by ann - from demo - ${'ünï 値 😀 '.repeat(40)}; rm -rf / #`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

test.skipIf(!possible)('with the telnetd, shell, mount and printf of busybox, on a real file system', async ({ skip }) => {
  const folder = scratch();
  const { rawPath } = await makeDemoImage(join(folder, 'images'), { sizeBytes: 12 << 20 });
  const loop = run('losetup', '-f', '--show', '-o', String(2048 * 512), rawPath).stdout.trim();
  if (loop === '') return skip('no loop device here');
  onTestFinished(() => void run('losetup', '-d', loop));
  const shell = join(folder, 'ash');
  writeFileSync(shell, '#!/bin/sh\nexec busybox ash -i\n');
  chmodSync(shell, 0o755);
  const port = await freePort();
  const telnetd = spawn('unshare', ['-m', 'busybox', 'telnetd', '-F', '-b', '127.0.0.1', '-p', String(port), '-l', shell], {
    stdio: 'ignore',
    env,
  });
  onTestFinished(async () => {
    telnetd.kill('SIGKILL');
    await once(telnetd, 'exit');
  });
  (await connectWhenUp('127.0.0.1', port)).destroy();
  const signal = new AbortController().signal;
  const telnet = await openTelnet({ host: '127.0.0.1', port, connectTimeoutMs: 5_000, firstByteTimeoutMs: 5_000, signal });
  onTestFinished(() => telnet.close());
  const stamp = (rootPartition: string): Promise<StampResult> =>
    stampRoot(telnet, {
      node: 'fit01',
      place: { rootPartition, mountPoint: join(folder, 'mnt') },
      lineFor: () => LINE,
      signal,
      silenceTimeoutMs: 10_000,
    });
  expect(await stamp(loop)).toEqual({ base: expect.stringContaining('image demo') as unknown, line: LINE, problem: null });
  expect(await stamp(loop)).toEqual({ base: LINE, line: LINE, problem: null });
  expect((await stamp('/dev/none9')).problem).toMatch(/^\/dev\/none9 could not be mounted: mount: .*No such file/);
  const lines = run('debugfs', '-R', 'cat etc/imaging-image', loop).stdout.trimEnd().split('\n');
  expect(lines).toEqual([expect.stringContaining('image demo'), LINE, LINE]);
});
