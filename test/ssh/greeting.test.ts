import { afterEach, describe, expect, test } from 'vitest';
import type { Socket } from 'node:net';
import { greeting } from '../../src/ssh/greeting.js';
import { serve, sshd, type Server } from './servers.js';

const never = new AbortController().signal;
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function server(onSocket: (socket: Socket) => void): Promise<Server> {
  const started = await serve(onSocket);
  servers.push(started);
  return started;
}

/** The version, and what can still be read from the socket. */
async function greet(target: { host: string; port: number }, signal = never): Promise<string> {
  const { socket, version } = await greeting({
    host: target.host,
    port: target.port,
    connectTimeoutMs: 5_000,
    onConnected: () => {},
    signal,
  });
  socket.destroy();
  return version;
}

describe('greeting', () => {
  test('reads the version of a real server', async () => {
    const real = await sshd({ allow: () => false, onExec: () => {} });
    servers.push(real);
    expect(await greet(real)).toMatch(/^SSH-2\.0-ssh2js/);
  });

  test.each([
    ['with CR LF', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', 'SSH-2.0-OpenSSH_9.2p1 Debian-2'],
    ['with LF', 'SSH-2.0-dropbear\n', 'SSH-2.0-dropbear'],
    ['after other lines', 'Welcome\r\nto fit07\r\nSSH-1.99-old\r\nrest', 'SSH-1.99-old'],
  ])('reads a version %s, however it is cut', async (_, text, version) => {
    for (let at = 0; at <= text.length; at++) {
      const target = await server((socket) => socket.write(text.slice(0, at), () => socket.write(text.slice(at))));
      expect(await greet(target)).toBe(version);
    }
  });

  test('leaves every byte to be read by whoever logs in, and has sent none', async () => {
    let sent = 0;
    const text = 'Welcome\r\nSSH-2.0-x\r\nmore';
    const target = await server((socket) => socket.on('data', ({ length }: Buffer) => (sent += length)).write(text));
    const { socket } = await greeting({ ...target, connectTimeoutMs: 5_000, onConnected: () => {}, signal: never });
    let read = '';
    await new Promise<void>((resolve) => socket.on('data', (chunk: Buffer) => (read += chunk.toString()) === text && resolve()).resume());
    expect(sent).toBe(0);
    socket.destroy();
  });

  test.each(['Not allowed at this time\r\n', 'Welcome\r\nNot allowed at this time\r\n'])(
    'understands that it is shut out: %j',
    async (text) => {
      const target = await server((socket) => socket.end(text));
      await expect(greet(target)).rejects.toMatchObject({
        code: 'ssh-shut-out',
        message: expect.stringContaining('shuts this machine out for a while') as unknown,
        hint: expect.stringContaining('PerSourcePenalties') as unknown,
      });
    },
  );

  test('refused, closed, silent and foreign servers each have their code, and name host:port', async () => {
    const gone = await serve(() => {});
    await gone.close();
    const where = (target: Server): string => `ssh ${target.host}:${target.port}`;
    await expect(greet(gone)).rejects.toMatchObject({ code: 'ssh-refused', message: `${where(gone)} refused the connection` });
    const rude = await server((socket) => socket.end('Exceeded MaxStartups\r\n'));
    await expect(greet(rude)).rejects.toMatchObject({
      code: 'ssh-closed',
      message: `${where(rude)} closed the connection without a version, after "Exceeded MaxStartups\\r\\n"`,
    });
    const web = await server((socket) => {
      const more = (): void => void (socket.destroyed || socket.write('HTTP/1.1 400 Bad Request\r\n'.repeat(100), more));
      more();
    });
    await expect(greet(web)).rejects.toMatchObject({ code: 'ssh-protocol', message: expect.stringContaining('"HTTP/1.1 400') });
    const resetting = await server((socket) => socket.resetAndDestroy());
    await expect(greet(resetting)).rejects.toMatchObject({ code: 'ssh-closed' });
  });

  test("rejects with the signal's reason", async () => {
    const reason = new Error('enough');
    const silent = await server(() => {});
    await expect(greet(silent, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const talking = await server(() => controller.abort(reason));
    await expect(greet(talking, controller.signal)).rejects.toBe(reason);
  });
});
