import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { bootStamp, parseBootStamp, parseSystemStamp, systemStamp } from '../../src/ssh/boot-stamp.js';
import { defaultAuth } from '../../src/ssh/keys.js';
import { sshExec, type LoginAuth, type LoginOptions } from '../../src/ssh/login.js';
import { serve, sshd, type Server, type SshdOptions } from './servers.js';

const never = new AbortController().signal;
const nothing: LoginAuth = { privateKeys: [] };
const servers: Server[] = [];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-ssh-'));
  mkdirSync(join(folder, '.ssh'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(change: Partial<SshdOptions> = {}): Promise<Server> {
  const server = await sshd({ allow: () => true, onExec: (_, channel) => (channel.exit(0), channel.end()), ...change });
  servers.push(server);
  return server;
}

async function raw(onSocket: (socket: Socket) => void): Promise<Server> {
  const server = await serve(onSocket);
  servers.push(server);
  return server;
}

function options(target: Server, more: Partial<LoginOptions> = {}): LoginOptions {
  return { host: target.host, port: target.port, username: 'root', auth: nothing, timeoutMs: 10_000, signal: never, ...more };
}

/** A key made by the real ssh-keygen. */
function key(name: string, ...args: string[]): { path: string; contents: string } {
  const path = join(folder, '.ssh', name);
  rmSync(path, { force: true });
  execFileSync('ssh-keygen', ['-q', '-N', '', '-f', path, ...args]);
  return { path, contents: readFileSync(path, 'utf8') };
}

describe('sshExec', () => {
  test('runs a command: stdout and status, stderr not mixed in', async () => {
    const target = await start({
      onExec: (command, channel) => {
        channel.stderr.write('noise');
        channel.write(`ran ${command}`);
        channel.exit(5);
        channel.end();
      },
    });
    expect(await sshExec(options(target), 'uname -a')).toEqual({ status: 5, stdout: 'ran uname -a' });
  });

  test('gives a command that reads its stdin the end of it', async () => {
    const target = await start({ onExec: (_, channel) => channel.resume().on('end', () => (channel.exit(0), channel.end())) });
    expect(await sshExec(options(target), 'cat')).toEqual({ status: 0, stdout: '' });
  });

  test('a command killed by a signal has status 128 + n', async () => {
    const target = await start({ onExec: (_, channel) => (channel.exit('KILL'), channel.end()) });
    expect(await sshExec(options(target), 'x')).toMatchObject({ status: 137 });
  });

  test('keeps the first MiB of an endless output', async () => {
    const target = await start({
      onExec: (_, channel) => {
        for (let i = 0; i < 40; i++) channel.write('x'.repeat(100_000));
        channel.exit(0);
        channel.end();
      },
    });
    const { stdout } = await sshExec(options(target), 'yes');
    expect(stdout).toHaveLength(1 << 20);
  });

  test.each([
    ['id_ed25519', ['-t', 'ed25519']],
    ['id_ecdsa', ['-t', 'ecdsa']],
    ['id_rsa', ['-t', 'rsa', '-b', '2048']],
    ['pem', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
  ])('logs in with a key of ssh-keygen: %s', async (name, args) => {
    const methods: string[] = [];
    const target = await start({ allow: (method) => (methods.push(method), method === 'publickey') });
    await sshExec(options(target, { auth: { privateKeys: [key(name, ...args)] } }), 'true');
    expect(methods[0]).toBe('none');
  });

  test('logs in with the keys of a real ssh-agent', async () => {
    const socket = join(folder, 'agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = once(agent, 'exit');
    await once(agent.stdout, 'data');
    execFileSync('ssh-add', ['-q', key('agent_key', '-t', 'ed25519').path], {
      env: { ...process.env, SSH_AUTH_SOCK: socket },
      stdio: 'ignore',
    });
    try {
      const target = await start({ allow: (method) => method === 'publickey' });
      expect(await sshExec(options(target, { auth: { agentSocket: socket, privateKeys: [] } }), 'true')).toMatchObject({ status: 0 });
    } finally {
      agent.kill();
      await exited;
    }
  });

  test('a dead agent does not keep the key files from being tried', async () => {
    const target = await start({ allow: (method) => method === 'publickey' });
    const auth = { agentSocket: join(folder, 'no-agent.sock'), privateKeys: [key('after_agent', '-t', 'ed25519')] };
    expect(await sshExec(options(target, { auth }), 'true')).toMatchObject({ status: 0 });
  });

  test('says what was tried when nobody lets us in', async () => {
    const target = await start({ allow: () => false });
    const auth = { agentSocket: join(folder, 'no-agent.sock'), privateKeys: [key('refused', '-t', 'ed25519')] };
    await expect(sshExec(options(target, { auth }), 'true')).rejects.toMatchObject({
      code: 'ssh-auth-failed',
      message: expect.stringMatching(
        new RegExp(`^ssh ${target.host}:${target.port} does not let root in; tried no authentication, the agent \\(.+\\), 1 key file$`),
      ),
      hint: expect.stringContaining(`ssh -p ${target.port} root@${target.host}`),
    });
  });

  test('says what to do about a PKCS#8 key, a protected one and a broken one, and tries the others', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const pkcs8 = {
      path: '/home/me/.ssh/id_rsa',
      contents: generateKeyPairSync('rsa', {
        modulusLength: 2048,
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' },
      }).privateKey,
    };
    const locked = {
      path: '/home/me/.ssh/id_ecdsa',
      contents: ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'secret', cipher: 'aes256-cbc', rounds: 4 }).private,
    };
    const broken = { path: '/home/me/.ssh/id_ed25519', contents: 'hello' };
    const closed = await start({ allow: () => false });
    await expect(sshExec(options(closed, { auth: { privateKeys: [pkcs8, locked, broken] } }), 'true')).rejects.toMatchObject({
      code: 'ssh-auth-failed',
      hint: expect.stringMatching(
        /id_rsa is in PKCS#8 form.*ssh-keygen -p -f \/home\/me\/\.ssh\/id_rsa; .*id_ecdsa is protected by a passphrase: ssh-add.*; .*id_ed25519 cannot be used/,
      ),
    });
    const open = await start({ allow: (method) => method === 'publickey' });
    expect(await sshExec(options(open, { auth: { privateKeys: [pkcs8, broken, key('good', '-t', 'ed25519')] } }), 'true')).toMatchObject({
      status: 0,
    });
  });

  test('refused, closed, silent and garbled servers each have their code, and settle once', async () => {
    const gone = await serve(() => {});
    await gone.close();
    await expect(sshExec(options(gone), 'true')).rejects.toMatchObject({ code: 'ssh-refused' });
    const rude = await raw((socket) => socket.end());
    await expect(sshExec(options(rude), 'true')).rejects.toMatchObject({
      code: 'ssh-closed',
      message: expect.stringContaining(`${rude.host}:${rude.port}`),
    });
    const resetting = await raw((socket) => socket.resetAndDestroy());
    await expect(sshExec(options(resetting), 'true')).rejects.toMatchObject({ code: 'ssh-closed' });
    const tarpit = await raw((socket) => socket.write('SSH-2.0-tarpit\r\n'));
    await expect(sshExec(options(tarpit, { timeoutMs: 100 }), 'true')).rejects.toMatchObject({
      code: 'ssh-timeout',
      message: `ssh root@${tarpit.host}:${tarpit.port} was still negotiating after 0.1 s`,
    });
    const garbage = await raw((socket) => socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(4_096, 0xff)])));
    await expect(sshExec(options(garbage), 'true')).rejects.toMatchObject({ code: 'ssh-protocol' });
  });

  test('a server that dies while the command runs is not waited for', async () => {
    const sockets: Socket[] = [];
    const inner = await start({ onExec: () => sockets.forEach((socket) => socket.destroy()) });
    const { connect } = await import('node:net');
    const relay = await raw((socket) => {
      const onward = connect(inner.port, inner.host).on('error', () => {});
      socket.pipe(onward).pipe(socket);
      sockets.push(socket, onward);
    });
    await expect(sshExec(options(relay), 'sleep 9')).rejects.toMatchObject({
      code: 'ssh-closed',
      message: expect.stringContaining(`${relay.host}:${relay.port}`),
    });
  });

  test('a command that never ends runs into the deadline, and the connection is closed', async () => {
    let closed: (value: unknown) => void = () => {};
    const hungUp = new Promise((resolve) => (closed = resolve));
    const target = await start({ onExec: () => {}, onClose: () => closed(true) });
    await expect(sshExec(options(target, { timeoutMs: 1_500 }), 'sleep 9')).rejects.toMatchObject({
      code: 'ssh-timeout',
      message: expect.stringContaining('still running the command after 1.5 s'),
    });
    await hungUp;
  });

  test("rejects with the signal's reason at once, wherever it is", async () => {
    const reason = new Error('enough');
    const target = await start();
    await expect(sshExec(options(target, { signal: AbortSignal.abort(reason) }), 'true')).rejects.toBe(reason);
    const negotiating = new AbortController();
    const tarpit = await raw(() => negotiating.abort(reason));
    await expect(sshExec(options(tarpit, { signal: negotiating.signal }), 'true')).rejects.toBe(reason);
    const running = new AbortController();
    const slow = await start({ onExec: () => running.abort(reason) });
    await expect(sshExec(options(slow, { signal: running.signal }), 'true')).rejects.toBe(reason);
  });
});

describe('bootStamp', () => {
  const id = '5d0c1a9e-5a64-4f7e-9c51-0a6f5f7f2f0e';

  test('asks for boot id and uptime, and parses them', async () => {
    const target = await start({
      onExec: (command, channel) => {
        channel.write(command === 'cat /proc/sys/kernel/random/boot_id /proc/uptime' ? `${id}\n12.34 45.67\n` : '?');
        channel.exit(0);
        channel.end();
      },
    });
    expect(await bootStamp(options(target))).toEqual({ bootId: id, uptimeMs: 12_340 });
  });

  test.each([
    [`${id}\n3.05 1.2\n`, { bootId: id, uptimeMs: 3_050 }],
    [`Welcome to fit07\n${id}\r\n100 200\r\n`, { bootId: id, uptimeMs: 100_000 }],
    ['', null],
    ['12.34 45.67\n', null],
    [`${id}\n`, null],
    [`x${id}\n12.34 45.67\n`, { bootId: id, uptimeMs: 12_340 }],
    [`abc${id}\n12.34 45.67\n`, { bootId: id, uptimeMs: 12_340 }],
    [`\x1b]0;fit07\x07${id}\n12.34 45.67\n`, { bootId: id, uptimeMs: 12_340 }],
  ])('parses the boot in %j', (text, stamp) => {
    expect(parseBootStamp(text)).toEqual(stamp);
  });

  test('reads files over the same login', async () => {
    const asked: string[] = [];
    const target = await start({
      onExec: (command, channel) => {
        asked.push(command);
        channel.write(`welcome\n${id}\n12.34 45.67\nfirst line\nlast line\n`);
        channel.stderr.write('cat: /b: No such file or directory\n');
        channel.exit(1);
        channel.end();
      },
    });
    expect(await systemStamp(options(target), ['/a', '/b'])).toEqual({
      boot: { bootId: id, uptimeMs: 12_340 },
      text: 'first line\nlast line\n',
    });
    expect(asked).toEqual(['cat /proc/sys/kernel/random/boot_id /proc/uptime /a /b']);
  });

  test('takes what a login says for no file when there is no boot to begin at', () => {
    expect(parseSystemStamp('Welcome\n2026-11-21@08:20 - node fit38 - image x - by y\n')).toEqual({ boot: null, text: '' });
    expect(parseSystemStamp(`${id}\n1.5 2`)).toEqual({ boot: { bootId: id, uptimeMs: 1_500 }, text: '' });
  });
});

describe('defaultAuth', () => {
  test('takes the default keys that are there, and the agent', async () => {
    const home = join(folder, 'home');
    mkdirSync(join(home, '.ssh'), { recursive: true });
    writeFileSync(join(home, '.ssh', 'id_rsa'), 'rsa');
    writeFileSync(join(home, '.ssh', 'id_ed25519'), 'ed');
    writeFileSync(join(home, '.ssh', 'id_ecdsa'), 'x'.repeat(100_000));
    chmodSync(join(home, '.ssh', 'id_rsa'), 0o600);
    expect(await defaultAuth(home, { SSH_AUTH_SOCK: '/run/agent' })).toEqual({
      agentSocket: '/run/agent',
      privateKeys: [
        { path: join(home, '.ssh', 'id_ed25519'), contents: 'ed' },
        { path: join(home, '.ssh', 'id_rsa'), contents: 'rsa' },
      ],
    });
  });

  test('is content with nothing', async () => {
    expect(await defaultAuth(join(folder, 'nobody'), {})).toEqual({ agentSocket: undefined, privateKeys: [] });
  });
});
