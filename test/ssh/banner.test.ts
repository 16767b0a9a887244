import { afterEach, describe, expect, it } from 'vitest';
import type { Socket } from 'node:net';
import { probeBanner } from '../../src/ssh/banner.js';
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

function probe(target: { host: string; port: number }, timeoutMs = 5_000, signal = never): Promise<string> {
  return probeBanner({ host: target.host, port: target.port, timeoutMs, signal });
}

describe('probeBanner', () => {
  it('reads the version of a real server', async () => {
    const real = await sshd({ allow: () => false, onExec: () => {} });
    servers.push(real);
    expect(await probe(real)).toMatch(/^SSH-2\.0-ssh2js/);
  });

  it.each([
    ['with CR LF', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', 'SSH-2.0-OpenSSH_9.2p1 Debian-2'],
    ['with LF', 'SSH-2.0-dropbear\n', 'SSH-2.0-dropbear'],
    ['after other lines', 'Welcome\r\nto fit07\r\nSSH-1.99-old\r\nrest', 'SSH-1.99-old'],
  ])('reads a version %s, however it is cut', async (_, text, version) => {
    for (let at = 0; at <= text.length; at++) {
      const target = await server((socket) => socket.write(text.slice(0, at), () => socket.write(text.slice(at))));
      expect(await probe(target)).toBe(version);
    }
  });

  it('hangs up once it has it', async () => {
    let closed: (value: unknown) => void = () => {};
    const hungUp = new Promise((resolve) => (closed = resolve));
    const target = await server((socket) => socket.on('close', closed).resume().write('SSH-2.0-x\r\n'));
    await probe(target);
    await hungUp;
  });

  it('refused, closed, silent and foreign servers each have their code, and name host:port', async () => {
    const gone = await serve(() => {});
    await gone.close();
    const where = (target: Server): string => `ssh ${target.host}:${target.port}`;
    await expect(probe(gone)).rejects.toMatchObject({ code: 'ssh-refused', message: `${where(gone)} refused the connection` });
    const rude = await server((socket) => socket.end('Exceeded MaxStartups\r\n'));
    await expect(probe(rude)).rejects.toMatchObject({ code: 'ssh-closed', message: `${where(rude)} closed the connection without a version, after "Exceeded MaxStartups\\r\\n"` });
    const silent = await server(() => {});
    await expect(probe(silent, 60)).rejects.toMatchObject({ code: 'ssh-timeout', message: `${where(silent)} is connected but sent no version within 0.06 s` });
    const web = await server((socket) => {
      const more = (): void => void (socket.destroyed || socket.write('HTTP/1.1 400 Bad Request\r\n'.repeat(100), more));
      more();
    });
    await expect(probe(web)).rejects.toMatchObject({ code: 'ssh-protocol', message: expect.stringContaining('"HTTP/1.1 400') });
    const resetting = await server((socket) => socket.resetAndDestroy());
    await expect(probe(resetting)).rejects.toMatchObject({ code: 'ssh-closed' });
  });

  it("rejects with the signal's reason", async () => {
    const reason = new Error('enough');
    const silent = await server(() => {});
    await expect(probe(silent, 5_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const talking = await server(() => controller.abort(reason));
    await expect(probe(talking, 5_000, controller.signal)).rejects.toBe(reason);
  });
});
