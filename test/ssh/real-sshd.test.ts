import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sshExec, type LoginAuth } from '../../src/ssh/login.js';
import { serve } from './servers.js';

const SSHD = '/usr/sbin/sshd';
const HOST = '127.22.0.9';
const canRun = existsSync(SSHD) && (process.getuid?.() !== 0 || existsSync('/run/sshd') || canMake('/run/sshd'));

/** sshd started by root wants this folder. */
function canMake(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canRun)('a real sshd (skipped without openssh-server)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'imaging-sshd-'));
  const children: { kill(): boolean; exited: Promise<unknown> }[] = [];
  let port = 0;

  const key = (name: string): string => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    return join(folder, name);
  };
  const start = (program: string, args: string[]) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = once(child, 'exit');
    children.push({ kill: () => child.kill(), exited });
    return child;
  };

  beforeAll(async () => {
    const free = await serve(() => {}, HOST);
    port = free.port;
    await free.close();
    const good = key('good');
    writeFileSync(join(folder, 'authorized'), readFileSync(`${good}.pub`));
    const options = [
      'MaxAuthTries=3',
      'UsePAM=no',
      'StrictModes=no',
      'PidFile=none',
      `AuthorizedKeysFile=${join(folder, 'authorized')}`,
      'PermitRootLogin=prohibit-password',
    ];
    start(SSHD, [
      '-D',
      '-f',
      '/dev/null',
      '-h',
      key('host'),
      '-p',
      String(port),
      '-o',
      `ListenAddress=${HOST}`,
      ...options.flatMap((option) => ['-o', option]),
    ]);
    for (let up = false; !up; ) {
      const socket = connect(port, HOST);
      up = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
      socket.destroy();
    }
  });
  afterAll(async () => {
    for (const child of children.splice(0)) {
      child.kill();
      await child.exited;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  const login = (auth: LoginAuth) =>
    sshExec({ host: HOST, port, username: userInfo().username, auth, timeoutMs: 20_000, signal: new AbortController().signal }, 'echo in');

  test('lets us in', async () => {
    const path = join(folder, 'good');
    expect(await login({ privateKeys: [{ path, contents: readFileSync(path, 'utf8') }] })).toEqual({ status: 0, stdout: 'in\n' });
  });

  test('that hangs up after too many keys of an agent is understood', async () => {
    const agentSocket = join(folder, 'agent');
    await once(start('ssh-agent', ['-D', '-a', agentSocket]).stdout, 'data');
    for (const name of ['one', 'two', 'three', 'four', 'five'])
      execFileSync('ssh-add', ['-q', key(name)], { env: { ...process.env, SSH_AUTH_SOCK: agentSocket }, stdio: 'ignore' });
    const path = join(folder, 'good');
    await expect(login({ agentSocket, privateKeys: [{ path, contents: readFileSync(path, 'utf8') }] })).rejects.toMatchObject({
      code: 'ssh-auth-failed',
      message: expect.stringContaining('too many keys were tried before one that it accepts') as unknown,
      hint: expect.stringMatching(/ssh-add -l.*MaxAuthTries/) as unknown,
    });
  });
});
