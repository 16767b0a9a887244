import { createSocket, type Socket } from 'node:dgram';
import { systemError } from './system-error.js';
import type { DatagramBatch, DatagramHandler, SendDone, UdpSocket, UdpSocketOptions } from './udp-socket.js';

const EBADF = 9;

/** A UDP socket of Node.js: everywhere, one system call and one callback for each datagram. */
export class NodeUdpSocket implements UdpSocket {
  readonly lost = 0;
  readonly #socket: Socket;
  readonly #bufferBytes: number;
  #closing: Promise<void> | null = null;

  private constructor(socket: Socket, bufferBytes: number) {
    this.#socket = socket;
    this.#bufferBytes = bufferBytes;
  }

  static open(options: UdpSocketOptions, onDatagram: DatagramHandler, onError: (error: Error) => void): Promise<NodeUdpSocket> {
    const { address, port, shared, bufferBytes, headBytes, clock } = options;
    return new Promise((resolve, reject) => {
      const socket = createSocket({
        type: 'udp4',
        reuseAddr: shared,
        recvBufferSize: bufferBytes,
        sendBufferSize: bufferBytes,
        // destinations are always dotted addresses: a look-up, even a trivial one, would cost a turn for each datagram
        lookup: (name, _family, callback) => callback(null, name, 4),
      });
      const onFailed = (error: Error): void => {
        socket.close();
        reject(error);
      };
      socket.once('error', onFailed);
      socket.bind({ port, address, exclusive: true }, () => {
        socket.off('error', onFailed);
        socket.on('error', onError);
        socket.on('message', (bytes, from) => onDatagram(bytes, from, clock(), bytes.subarray(headBytes)));
        resolve(new NodeUdpSocket(socket, bufferBytes));
      });
    });
  }

  // Linux counts its own overhead in and reports twice what was asked for
  get receiveBufferBytes(): number {
    return Math.min(this.#bufferBytes, this.#socket.getRecvBufferSize() / 2);
  }

  get sendBufferBytes(): number {
    return Math.min(this.#bufferBytes, this.#socket.getSendBufferSize() / 2);
  }

  setBroadcast(): void {
    this.#socket.setBroadcast(true);
  }

  setMulticast({ ttl, loopback, localIp }: { ttl: number; loopback: boolean; localIp: string }): void {
    this.#socket.setMulticastTTL(ttl);
    this.#socket.setMulticastLoopback(loopback);
    this.#socket.setMulticastInterface(localIp);
  }

  addMembership(group: string, localIp: string): void {
    this.#socket.addMembership(group, localIp);
  }

  dropMembership(group: string, localIp: string): void {
    this.#socket.dropMembership(group, localIp);
  }

  send(bytes: Uint8Array, address: string, port: number, done?: SendDone): void {
    if (this.#closing) done?.(systemError(EBADF, 'sendto'));
    else this.#socket.send(bytes, port, address, done);
  }

  batch(count: number, sizeBytes: number): DatagramBatch {
    const datagrams = Array.from({ length: count }, () => Buffer.alloc(sizeBytes));
    return {
      datagrams,
      // a socket keeps datagrams in order, so the last one's end is that of all, and only for it a callback is paid
      send: (most, address, port, done) => {
        if (this.#closing) return done(systemError(EBADF, 'sendmsg'));
        for (let i = 0; i < most; i++) this.#socket.send(datagrams[i]!, port, address, i === most - 1 ? done : undefined);
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#socket.close(() => resolve()));
    return this.#closing;
  }
}
