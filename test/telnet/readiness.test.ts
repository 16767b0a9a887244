import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { SERVER_GREETING, TelnetDecoder } from '../../src/telnet/codec.js';
import { ShellProbe } from '../../src/telnet/readiness.js';
import { openTelnet, type TelnetSession } from '../../src/telnet/session.js';
import { serve, type Server } from './servers.js';

const never = new AbortController().signal;
const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function open(onSocket: (socket: Socket) => void): Promise<TelnetSession> {
  const server: Server = await serve(onSocket);
  cleanup.push(() => server.close());
  const session = await openTelnet({ ...server, connectTimeoutMs: 5_000, firstByteTimeoutMs: 5_000, signal: never });
  cleanup.push(async () => {
    session.close();
    await session.closed;
  });
  return session;
}

/** A shell that runs what comes after its program has begun to listen; what it was told, line by line. */
function shellBehind(socket: Socket, told: string[], decode: (chunk: Buffer) => Buffer): (chunk: Buffer) => void {
  const child = spawn('sh', ['-s'], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {});
  child.stdout.on('data', (chunk: Buffer) => socket.write(chunk.toString('latin1').replaceAll('\n', '\r\n')));
  socket.on('close', () => child.kill('SIGKILL'));
  return (chunk) => {
    const text = decode(chunk);
    told.push(
      ...text
        .toString('latin1')
        .split('\n')
        .filter((line) => line !== ''),
    );
    child.stdin.write(text);
  };
}

describe('a shell behind odd servers', () => {
  test('is found by one that negotiates at once, throws away what it is sent for 1 s, and then prompts', async () => {
    const told: string[] = [];
    const session = await open((socket) => {
      const decoder = new TelnetDecoder({ lineEnds: 'lf' });
      const feed = shellBehind(socket, told, (chunk) => decoder.decode(chunk).data);
      let listens = false;
      socket.write(SERVER_GREETING);
      void delay(1_000).then(() => {
        listens = true;
        socket.write('# ');
      });
      socket.on('data', (chunk: Buffer) => void (listens ? feed(chunk) : decoder.decode(chunk)));
    });
    const lines: string[] = [];
    expect(
      await session.run('echo once; (exit 7)', { signal: never, silenceTimeoutMs: 5_000, onLine: (line) => lines.push(line) }),
    ).toEqual({ status: 7 });
    expect(lines).toEqual(['once']);
    expect(told.filter((line) => line.includes('echo once'))).toHaveLength(1);
    expect(told.filter((line) => line.startsWith(':;')).length).toBeGreaterThan(0);
  });

  test('is found by one that takes nothing but CR LF for a line end', async () => {
    const told: string[] = [];
    const session = await open((socket) => {
      let input = '';
      const feed = shellBehind(socket, told, (chunk) => {
        input += new TelnetDecoder().decode(chunk).data.toString('latin1');
        const at = input.lastIndexOf('\r\n');
        const whole = at < 0 ? '' : `${input.slice(0, at)}\n`;
        if (at >= 0) input = input.slice(at + 2);
        return Buffer.from(whole.replaceAll('\r\n', '\n'), 'latin1');
      });
      socket.write('# ');
      socket.on('data', feed);
    });
    expect(await session.run('(exit 9)', { signal: never, silenceTimeoutMs: 5_000 })).toEqual({ status: 9 });
  });

  test('that is slow gets its command once, and none of the answers to what was typed before is taken for output', async () => {
    const told: string[] = [];
    const session = await open((socket) => {
      const decoder = new TelnetDecoder({ lineEnds: 'lf' });
      const feed = shellBehind(socket, told, (chunk) => decoder.decode(chunk).data);
      const waiting: Buffer[] = [];
      let listens = false;
      socket.write(SERVER_GREETING);
      socket.on('data', (chunk: Buffer) => {
        if (!listens) socket.write(chunk); // its tty echoes
        if (listens) feed(chunk);
        else if (waiting.push(chunk) === 4) {
          // the third line, after that of the options
          listens = true;
          for (const early of waiting) feed(early);
        }
      });
    });
    const lines: string[] = [];
    expect(await session.run('echo out', { signal: never, onLine: (line) => lines.push(line) })).toEqual({ status: 0 });
    expect(lines).toEqual(['out']);
    expect(told.filter((line) => line.includes('echo out'))).toHaveLength(1);
  });

  test.each(['\r\nvm login: ', 'Debian GNU/Linux 12\r\nfit07 login: ', 'Username:', 'Password: '])(
    'that asks for a login first is not typed to: %j',
    async (text) => {
      const said: Buffer[] = [];
      const session = await open((socket) =>
        socket.on('data', (chunk: Buffer) => said.push(chunk)).write(Buffer.concat([SERVER_GREETING, Buffer.from(text)])),
      );
      await expect(session.run('reboot', { signal: never })).rejects.toMatchObject({
        code: 'telnet-login',
        message: expect.stringMatching(/asks for a login/) as unknown,
      });
      expect(Buffer.concat(said).toString('latin1')).not.toContain('reboot');
    },
  );

  test('that asks for a login after we have typed is found out as well', async () => {
    const session = await open((socket) => {
      socket.write(SERVER_GREETING);
      socket.on('data', (chunk: Buffer) => chunk.includes('IMG_') && socket.write(`\r\nvm login: ${chunk.toString('latin1')}Password: `));
    });
    await expect(session.run('reboot', { signal: never })).rejects.toMatchObject({ code: 'telnet-login' });
  });

  test('that says something and runs nothing is quoted', async () => {
    const session = await open((socket) => socket.write('Menu: 1) status 2) quit\r\n> '));
    await expect(session.run('reboot', { signal: never, silenceTimeoutMs: 60 })).rejects.toMatchObject({
      code: 'telnet-no-shell',
      message: expect.stringContaining('it says "Menu: 1) status 2) quit >"') as unknown,
    });
  });
});

describe('ShellProbe', () => {
  test('types at once after the first words, soon after options alone, and again after ever longer silences', () => {
    const probe = new ShellProbe('ab');
    expect(probe.pauseMs).toBeGreaterThan(0);
    probe.push(Buffer.from('/ # '));
    expect(probe.pauseMs).toBe(0);
    const pauses = [1, 2, 3, 4].map(() => (probe.line(), probe.pauseMs));
    expect(pauses).toEqual([1_000, 2_000, 4_000, 4_000]);
  });

  test('counts the answer to the last line alone', () => {
    const probe = new ShellProbe('ab');
    expect(probe.line()).toBe(':; echo IMG_""STATUS_abp1=$?\r\n');
    probe.line();
    expect(probe.push(Buffer.from('IMG_STATUS_abp1=0\r\n'))).toBe('no');
    expect(probe.push(Buffer.from('# IMG_STATUS_abp2=0\r\n# '))).toBe('ready');
  });
});
