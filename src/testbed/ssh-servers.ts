import { createServer, type Socket } from 'node:net';
import type { AuthContext, Connection, Server as SshServer, ServerChannel, Session } from 'ssh2';
import { newHostKey } from './host-key.js';
import { listenOn } from './listening.js';

/** The system a disk holds, as its sshd shows it. */
export type RunningSystem = {
  hostname: string;
  /** Fresh for every boot, as Linux makes it. */
  bootId: string;
  uptimeSeconds(): number;
  /** The text of /etc/imaging-image, or null when there is none. */
  stamp(): Promise<string | null>;
};

/** One node's sshd while its system is up. */
export type Sshd = { kill(): void; freeze(): Socket[] };

/**
 * The sshds of many nodes, with one host key for all. Root gets in without a password,
 * with any password and with any key. Made when the first system is up, as the library and its keys take time to load.
 */
export class SshServers {
  readonly #hostKey: () => string | undefined;
  #library: Promise<{ Server: typeof SshServer; hostKey: string }> | undefined;

  /** `hostKey`: a private key as PEM, or undefined for one of its own. */
  constructor(hostKey: () => string | undefined = () => undefined) {
    this.#hostKey = hostKey;
  }

  /** Starts one node's sshd; `stopped` aborts when the node went down meanwhile. Rejects with the system's error. */
  async open(ip: string, port: number, system: RunningSystem, stopped: AbortSignal): Promise<Sshd> {
    const { Server, hostKey } = await (this.#library ??= this.#load());
    // one for each system: the server tells of a connection only when the peer has named its version, and not on which listener
    const ssh = new Server({ hostKeys: [hostKey], ident: 'imaging_testbed' }, (connection) => serve(connection, system));
    const sockets = new Set<Socket>();
    const listener = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      ssh.injectSocket(socket);
    });
    if (!stopped.aborted) await listenOn(listener, ip, port);
    const stop = (): Socket[] => {
      if (listener.listening) listener.close();
      return [...sockets];
    };
    if (stopped.aborted) stop();
    return {
      kill: () => {
        for (const socket of stop()) socket.resetAndDestroy();
      },
      freeze: () => stop().map(mute),
    };
  }

  async #load(): Promise<{ Server: typeof SshServer; hostKey: string }> {
    const { default: ssh2 } = await import('ssh2');
    return { Server: ssh2.Server, hostKey: this.#hostKey() ?? newHostKey(ssh2.utils) };
  }
}

/** Cuts a socket off from whoever serves it; it stays open and silent. */
function mute(socket: Socket): Socket {
  socket.removeAllListeners('data');
  socket.removeAllListeners('end');
  socket.resume();
  return socket;
}

function serve(connection: Connection, system: RunningSystem): void {
  connection.on('error', () => connection.end());
  connection.on('authentication', (context: AuthContext) => {
    const methods = ['none', 'password', 'publickey'];
    if (context.username === 'root' && methods.includes(context.method)) context.accept();
    else context.reject(['publickey', 'password']);
  });
  connection.on('session', (accept) => serveSession(accept(), system));
}

function serveSession(session: Session, system: RunningSystem): void {
  session.on('pty', (accept) => accept?.());
  session.on('env', (accept) => accept?.());
  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept();
    channel.on('error', () => channel.destroy());
    execute(command, system).then(
      ({ output, errors, status }) => finish(channel, output, errors, status),
      () => finish(channel, '', 'input/output error\n', 1),
    );
  });
  session.on('shell', (accept) => {
    const channel = accept();
    channel.on('error', () => channel.destroy());
    finish(channel, `${system.hostname} is emulated: its system answers only a few commands\r\n`, '', 0);
  });
}

function finish(channel: ServerChannel, output: string, errors: string, status: number): void {
  if (output !== '') channel.write(output);
  if (errors !== '') channel.stderr.write(errors);
  channel.exit(status);
  channel.end();
}

type Result = { output: string; errors: string; status: number };

/** `cat` of the files that tell one boot and one image from another, `hostname`, `uptime -s`-like questions not: 127. */
async function execute(command: string, system: RunningSystem): Promise<Result> {
  const [program, ...args] = command.trim().split(/\s+/);
  const ok = (output: string): Result => ({ output, errors: '', status: 0 });
  if (program === 'true' || program === ':') return ok('');
  if (program === 'hostname' && args.length === 0) return ok(`${system.hostname}\n`);
  if (program !== 'cat' || args.length === 0) return { output: '', errors: `sh: ${program}: not found\n`, status: 127 };
  const result: Result = ok('');
  for (const path of args) {
    const text = await fileText(path, system);
    if (text !== null) result.output += text;
    else {
      result.errors += `cat: ${path}: No such file or directory\n`;
      result.status = 1;
    }
  }
  return result;
}

async function fileText(path: string, system: RunningSystem): Promise<string | null> {
  switch (path) {
    case '/proc/sys/kernel/random/boot_id':
      return `${system.bootId}\n`;
    case '/proc/uptime': {
      const seconds = system.uptimeSeconds().toFixed(2);
      return `${seconds} ${seconds}\n`;
    }
    case '/etc/hostname':
      return `${system.hostname}\n`;
    case '/etc/os-release':
      return 'NAME="Emulated Linux"\nID=emulated\nPRETTY_NAME="Emulated Linux 1"\n';
    case '/etc/imaging-image':
      return await system.stamp();
    default:
      return null;
  }
}
