import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SERVER_GREETING } from '../../src/telnet/codec.js';

export type Server = { host: string; port: number; close(): Promise<void> };

/** A TCP server of our own on the loopback network; `onSocket` plays the telnetd. */
export async function serve(onSocket: (socket: Socket) => void, host = '127.23.0.1'): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    host,
    port: (server.address() as AddressInfo).port, // a TCP server's address is never a string
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A telnetd that greets like busybox's, answers the probe for a shell and, for each command line, sends what `answer` makes of the status marker. */
export function scripted(answer: (status: (value: number) => string, socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    socket.write(SERVER_GREETING);
    let input = '';
    socket.on('data', (chunk) => {
      input += chunk.toString('latin1');
      const probe = /:; echo IMG_""STATUS_(\w+p\d+)=\$\?\r\n/.exec(input);
      if (probe) {
        input = input.slice(probe.index + probe[0].length);
        socket.write(`IMG_STATUS_${probe[1]}=0\r\n`);
      }
      const at = input.lastIndexOf('\n');
      if (at < 0) return;
      const id = /STATUS_(\w+)=\$\?/.exec(input.slice(0, at))?.[1] ?? 'none';
      input = input.slice(at + 1);
      answer((value) => `IMG_STATUS_${id}=${value}\r\n`, socket);
    });
  };
}

/** A busybox with telnetd (Debian's is in busybox-static), or null: $BUSYBOX first, then the usual places. */
export function findBusyboxTelnetd(): string | null {
  for (const program of [process.env.BUSYBOX, 'busybox', '/usr/local/bin/busybox', '/opt/busybox/busybox']) {
    if (!program) continue;
    const list = spawnSync(program, ['--list'], { encoding: 'utf8' });
    if (list.status === 0 && list.stdout.split('\n').includes('telnetd')) return program;
  }
  return null;
}

/** Starts a real busybox telnetd whose shell is `shell` (a program and its arguments, started by /bin/sh). */
export async function startTelnetd(busybox: string, shell: string, host: string): Promise<Server & { pid: number; kill(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'imaging-telnetd-'));
  const login = join(folder, 'login');
  writeFileSync(login, `#!/bin/sh\nexec ${shell}\n`);
  chmodSync(login, 0o755);
  const probe = await serve(() => {}, host);
  await probe.close();
  const child = spawn(busybox, ['telnetd', '-F', '-p', String(probe.port), '-b', host, '-l', login, '-f', '/dev/null'], {
    stdio: 'ignore',
    cwd: folder,
    env: { ...process.env, HOME: folder, TERM: 'linux', PS1: '# ', ENV: '' },
  });
  const exited = once(child, 'exit');
  await listening(host, probe.port);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return {
    host,
    port: probe.port,
    pid: child.pid ?? -1,
    kill,
    close: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(host: string, port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(5); // a foreign program: there is no event for "it listens"
    } finally {
      socket.destroy();
    }
  }
}

/** A promise to resolve by hand (Promise.withResolvers came after Node 20). */
export function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** A listener whose process never accepts and whose queue is full: further SYNs go unanswered, as from a machine that is off. */
export async function fullBacklog(host = '127.23.0.2'): Promise<Server> {
  const program = `const s=require('net').createServer();s.listen({port:0,host:'${host}',backlog:1},()=>{
    require('fs').writeSync(1,String(s.address().port));Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0)})`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  const [chunk] = await once(child.stdout, 'data');
  const port = Number(String(chunk));
  const fill = Array.from({ length: 6 }, () => connect({ host, port }).on('error', () => {}));
  await Promise.all(fill.slice(0, 2).map((socket) => once(socket, 'connect')));
  return {
    host,
    port,
    close: async () => {
      for (const socket of fill) socket.destroy();
      child.kill('SIGKILL');
      await exited;
    },
  };
}
