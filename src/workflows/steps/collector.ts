import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { childSignal, untilAborted } from '../../util/abort.js';
import { messageOf, systemCode } from '../../util/errors.js';
import { fail } from '../failures.js';

export type Collected = { bytes: number /** Hex. */; sha256: string };

/** A TCP port that takes one stream from one node into a file. */
export type Collector = {
  port: number;
  /** Resolves when the node has connected. */
  connected: Promise<void>;
  /** Resolves with what came once the node has closed its side and the file is on disk. */
  received: Promise<Collected>;
  /** Rejects when the file cannot be written; never resolves. */
  failed: Promise<never>;
  /** Gives up what is under way; resolves when nothing writes to the file any more. */
  close(): Promise<void>;
};

export type CollectorOptions = {
  /** Address to listen on, and the only one that may connect: images are not taken from strangers. */
  localIp: string;
  nodeIp: string;
  path: string;
  onBytes: (total: number) => void;
  signal: AbortSignal;
};

/** Listens on a free port of the gateway's control address; the kernel keeps concurrent saves apart. */
export async function openCollector(options: CollectorOptions): Promise<Collector> {
  const child = childSignal(options.signal);
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        fail('collector', `cannot listen on ${options.localIp}: ${messageOf(error)}`, 'see networking.local_control_ip', {
          cause: error,
        }),
      ),
    );
    server.listen(0, options.localIp, resolve);
  });
  let writing: Promise<unknown> = Promise.resolve();
  let connect = (): void => {};
  const connected = new Promise<void>((resolve) => (connect = resolve));
  const received = new Promise<Collected>((resolve, reject) => {
    writing = takeOne(server, options, child.signal, connect).then(resolve, reject);
  });
  const result = untilAborted(child.signal, received);
  result.catch(() => {}); // the node's own failure may be told first
  const failed = result.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has one
    connected,
    received: result,
    failed,
    close: async () => {
      server.close();
      child.abort(fail('collect-failed', 'given up'));
      child.release();
      await writing;
    },
  };
}

/** Takes the node's stream, whole; rejects with a Failure `collect-broken` for what the node did, else `collect-failed`. */
async function takeOne(
  server: Server,
  { nodeIp, path, onBytes }: CollectorOptions,
  signal: AbortSignal,
  onConnect: () => void,
): Promise<Collected> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    server.on('connection', (candidate) => {
      if (candidate.remoteAddress !== nodeIp) return void candidate.destroy();
      server.close();
      resolve(candidate);
    });
    server.once('close', () => reject(fail('collect-failed', 'nothing has connected')));
  });
  onConnect();
  let bytes = 0;
  const hash = createHash('sha256');
  socket.on('data', (piece: Buffer) => {
    hash.update(piece);
    onBytes((bytes += piece.length));
  });
  const file = createWriteStream(path, { flags: 'wx' });
  const closed = new Promise<void>((resolve) => file.once('close', () => resolve()));
  try {
    // a pipeline that fails does not wait for what its file still opens or writes
    await pipeline(socket, file, { signal }).finally(() => closed);
    await syncFile(path);
  } catch (error) {
    const code = isOfSocket(error) ? 'collect-broken' : 'collect-failed';
    throw fail(code, `collecting into ${path}, after ${bytes} bytes: ${messageOf(error)}`, collectHint(error), {
      cause: error,
    });
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** The file is written and synced, never read; whoever goes without a word breaks the stream off. */
function isOfSocket(error: unknown): boolean {
  return systemCode(error) === 'ERR_STREAM_PREMATURE_CLOSE' || (error instanceof Error && 'syscall' in error && error.syscall === 'read');
}

function collectHint(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no room: free some space, or save elsewhere';
    case 'EFBIG':
      return 'larger than files may be here: see ulimit -f';
    case 'EEXIST':
      return 'another run is writing it';
    case 'ECONNRESET':
    case 'ETIMEDOUT':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return 'did the node lose power?';
    default:
      return 'is there room for the image, and may this user write there?';
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
