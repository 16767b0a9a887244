import { once } from 'node:events';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { newHostKey } from '../../src/testbed/host-key.js';

export type Server = { host: string; port: number; close(): Promise<void> };

/** A TCP server that says whatever a test wants in place of sshd. */
export async function serve(onSocket: (socket: Socket) => void, host = '127.22.0.1'): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {}));
    onSocket(socket);
  });
  return listening(server, host, () => sockets.forEach((socket) => socket.destroy()));
}

export type SshdOptions = {
  /** Whether to let in who comes with this method (`none`, `publickey`). */
  allow: (method: string) => boolean;
  /** What a command does. */
  onExec: (command: string, channel: ssh2.ServerChannel) => void;
  onClose?: () => void;
  /** Told of every connection. */
  onConnection?: () => void;
  /** The only algorithms it knows, by kind; else the usual ones. */
  algorithms?: ssh2.Algorithms;
};

const hostKey = newHostKey(ssh2.utils);

/** A real ssh server. */
export async function sshd({ allow, onExec, onClose, onConnection, algorithms }: SshdOptions, host = '127.22.0.1'): Promise<Server> {
  const clients = new Set<ssh2.Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey], ...(algorithms ? { algorithms } : {}) }, (client) => {
    onConnection?.();
    clients.add(client);
    client.on('error', () => {});
    client.on('close', () => (clients.delete(client), onClose?.()));
    client.on('authentication', (context) => (allow(context.method) ? context.accept() : context.reject(['publickey'])));
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _, info) => onExec(info.command, acceptExec()));
    });
  });
  return listening(server, host, () => clients.forEach((client) => client.end()));
}

async function listening(server: NetServer | ssh2.Server, host: string, dropAll: () => void): Promise<Server> {
  server.listen(0, host);
  await once(server, 'listening');
  return {
    host,
    port: (server.address() as AddressInfo).port, // a TCP server's address is never a string
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      dropAll();
      await closed;
    },
  };
}

/** What an ssh server that knows only these key exchanges says first: version, then KEXINIT. */
export function helloOf(kex: readonly string[]): Buffer {
  const list = (names: readonly string[]): Buffer => {
    const text = Buffer.from(names.join(','), 'latin1');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return Buffer.concat([length, text]);
  };
  const lists = [
    kex,
    ['ssh-ed25519'],
    ['aes128-ctr'],
    ['aes128-ctr'],
    ['hmac-sha2-256'],
    ['hmac-sha2-256'],
    ['none'],
    ['none'],
    [],
    [],
  ].map(list);
  const payload = Buffer.concat([Buffer.from([20]), Buffer.alloc(16), ...lists, Buffer.alloc(5)]);
  const padding = 8 - ((5 + payload.length) % 8) + 8;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(1 + payload.length + padding);
  head[4] = padding;
  return Buffer.concat([Buffer.from('SSH-2.0-odd\r\n'), head, payload, Buffer.alloc(padding)]);
}
