import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { childSignal, untilAborted } from '../util/abort.js';
import { Failure, messageOf } from '../util/errors.js';

/** A TCP port that takes one stream from one node into a file. */
export type Collector = {
  port: number;
  /** Resolves with the bytes received once the node has closed its side and the file is on disk. */
  received: Promise<number>;
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
    server.once('error', (error) => reject(new Failure('collector', `cannot listen on ${options.localIp}: ${messageOf(error)}`, 'see networking.local_control_ip', { cause: error })));
    server.listen(0, options.localIp, resolve);
  });
  let writing: Promise<unknown> = Promise.resolve();
  const received = new Promise<number>((resolve, reject) => {
    server.on('connection', (socket) => {
      if (socket.remoteAddress !== options.nodeIp) return void socket.destroy();
      server.close();
      let total = 0;
      socket.on('data', (bytes: Buffer) => options.onBytes((total += bytes.length)));
      const file = createWriteStream(options.path, { flags: 'wx' });
      writing = pipeline(socket, file, { signal: child.signal })
        .then(() => syncFile(options.path))
        .then(() => resolve(total), (error: unknown) => reject(new Failure('collect-failed', `writing ${options.path}: ${messageOf(error)}`, 'is there room for the image?', { cause: error })));
    });
  });
  const result = untilAborted(child.signal, received);
  result.catch(() => {}); // the node's own failure may be told first
  const failed = result.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has one
    received: result,
    failed,
    close: async () => {
      server.close();
      child.abort(new Failure('collect-failed', 'given up'));
      child.release();
      await writing;
    },
  };
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
