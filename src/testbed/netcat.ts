import { connect, createServer, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { messageOf } from '../util/errors.js';
import { INTERRUPTED_STATUS, type Program, type ProgramIo } from './program.js';

type Arguments = { listen: boolean; readsStdin: boolean; host: string | null; port: number };

/** The ramdisk's `nc`: `nc [-dNn] [-q S] [-w S] HOST PORT` and `nc -l [-p] PORT`, from and on the node's address. */
export function netcat(localIp: string): Program {
  return async (args, io) => {
    const parsed = parseArguments(args);
    if (typeof parsed === 'string') {
      io.stderr.write(`nc: ${parsed}\nusage: nc [-d] HOST PORT | nc -l PORT\n`);
      return 1;
    }
    try {
      const socket = parsed.listen ? await accept(localIp, parsed.port, io.signal) : await dial(localIp, parsed, io.signal);
      return await copy(socket, parsed.readsStdin, io);
    } catch (error) {
      if (io.signal.aborted) return INTERRUPTED_STATUS;
      io.stderr.write(`nc: ${messageOf(error)}\n`);
      return 1;
    }
  };
}

function parseArguments(args: readonly string[]): Arguments | string {
  const parsed: Arguments = { listen: false, readsStdin: true, host: null, port: 0 };
  const rest: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '-q' || word === '-w') index += 1;
    else if (word === '-p') rest.push(args[++index] ?? '');
    else if (/^-[dlNnv]+$/.test(word)) {
      if (word.includes('l')) parsed.listen = true;
      if (word.includes('d')) parsed.readsStdin = false;
    } else if (word.startsWith('-')) return `unknown option ${word}`;
    else rest.push(word);
  }
  const port = Number(rest.pop());
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return 'no port';
  parsed.port = port;
  parsed.host = rest.pop() ?? null;
  return parsed.host === null && !parsed.listen ? 'no host' : parsed;
}

function dial(localIp: string, { host, port }: Arguments, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host ?? '', port, localAddress: localIp, signal, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** One connection, as nc without -k. */
function accept(localIp: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true });
    server.once('error', reject);
    server.once('connection', (socket) => {
      server.close();
      resolve(socket);
    });
    server.listen({ host: localIp, port, signal });
    signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
  });
}

/** Both ways, until both have ended. */
async function copy(socket: Socket, readsStdin: boolean, { stdin, stdout, signal }: ProgramIo): Promise<number> {
  const abort = (): void => void socket.destroy(new Error('interrupted'));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (readsStdin) stdin.pipe(socket);
    else socket.end();
    socket.pipe(stdout, { end: false });
    await finished(socket);
    return 0;
  } finally {
    signal.removeEventListener('abort', abort);
    stdin.unpipe(socket);
    socket.destroy();
  }
}
