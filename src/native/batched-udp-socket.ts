import { ipToNumber } from '../util/ipv4.js';
import type { Watch } from './library.js';
import { RING_SLOTS } from './receive-ring.js';
import { SegmentedBatch } from './segmented-batch.js';
import { systemError } from './system-error.js';
import {
  IP_ADD_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IPPROTO_IP,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_RXQ_OVFL,
  SO_SNDBUF,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from './udp-layout.js';
import type { UdpCalls } from './udp-calls.js';
import type { DatagramBatch, DatagramHandler, SendDone, UdpSocket, UdpSocketOptions } from './udp-socket.js';

/** Rings taken before others get a turn of the event loop. */
const RINGS_IN_TURN = 8;
const EAGAIN = 11;
const EINTR = 4;

/** A UDP socket over the kernel's own calls, many datagrams in each. */
export class BatchedUdpSocket implements UdpSocket {
  lost = 0;
  readonly #calls: UdpCalls;
  readonly #fd: number;
  readonly #bufferBytes: number;
  readonly #headBytes: number;
  readonly #clock: () => number;
  readonly #watch: Watch;
  readonly #batches: SegmentedBatch[] = [];
  #onWritable: (() => void)[] = [];
  #isOpen = true;
  #peer = '';
  #peerNumber = 0;

  constructor(calls: UdpCalls, options: UdpSocketOptions, onDatagram: DatagramHandler, onError: (error: Error) => void) {
    this.#calls = calls;
    this.#bufferBytes = options.bufferBytes;
    this.#headBytes = options.headBytes;
    this.#clock = options.clock;
    this.#fd = calls.open();
    try {
      if (options.shared) calls.setOption(this.#fd, SOL_SOCKET, SO_REUSEADDR, 1);
      calls.bind(this.#fd, ipToNumber(options.address), options.port);
      // beyond net.core.rmem_max, where we may
      if (!calls.tryOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, options.bufferBytes))
        calls.setOption(this.#fd, SOL_SOCKET, SO_RCVBUF, options.bufferBytes);
      calls.setOption(this.#fd, SOL_SOCKET, SO_SNDBUF, options.bufferBytes);
      calls.tryOption(this.#fd, SOL_UDP, UDP_GRO, 1);
      calls.tryOption(this.#fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
      this.#watch = calls.library.watch(this.#fd, ({ readable, writable }) => {
        if (writable) this.#writable();
        if (readable && this.#isOpen) this.#receive(onDatagram, onError);
      });
    } catch (error) {
      calls.close(this.#fd);
      throw error;
    }
  }

  // Linux counts its own overhead in and reports twice what was asked for
  get receiveBufferBytes(): number {
    return Math.min(this.#bufferBytes, this.#calls.getOption(this.#fd, SOL_SOCKET, SO_RCVBUF) / 2);
  }

  get sendBufferBytes(): number {
    return Math.min(this.#bufferBytes, this.#calls.getOption(this.#fd, SOL_SOCKET, SO_SNDBUF) / 2);
  }

  setBroadcast(): void {
    this.#calls.setOption(this.#fd, SOL_SOCKET, SO_BROADCAST, 1);
  }

  setMulticast({ ttl, loopback, localIp }: { ttl: number; loopback: boolean; localIp: string }): void {
    this.#calls.setOption(this.#fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl);
    this.#calls.setOption(this.#fd, IPPROTO_IP, IP_MULTICAST_LOOP, loopback ? 1 : 0);
    this.#calls.setAddresses(this.#fd, IP_MULTICAST_IF, [localIp]);
  }

  addMembership(group: string, localIp: string): void {
    this.#calls.setAddresses(this.#fd, IP_ADD_MEMBERSHIP, [group, localIp]);
  }

  dropMembership(group: string, localIp: string): void {
    this.#calls.setAddresses(this.#fd, IP_DROP_MEMBERSHIP, [group, localIp]);
  }

  send(bytes: Uint8Array, address: string, port: number, done?: SendDone): void {
    const errno = this.#calls.send(this.#fd, bytes, this.#number(address), port);
    done?.(errno === 0 ? null : systemError(errno, 'sendto'));
  }

  batch(count: number, sizeBytes: number): DatagramBatch {
    const batch = new SegmentedBatch(this.#calls.batch, this.#fd, count, sizeBytes);
    this.#batches.push(batch);
    const send: DatagramBatch['send'] = (most, address, port, done) => {
      const errno = batch.send(most, this.#number(address), port);
      if (errno === EAGAIN) return this.#whenWritable(() => send(most, address, port, done));
      done(errno === 0 ? null : systemError(errno, 'sendmsg'));
    };
    return { datagrams: batch.datagrams, send };
  }

  close(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#onWritable = [];
      this.#watch.close();
      this.#calls.close(this.#fd);
      for (const batch of this.#batches) batch.release();
    }
    return Promise.resolve();
  }

  /** Takes what has come, but lets others have their turn when there is much. */
  #receive(onDatagram: DatagramHandler, onError: (error: Error) => void): void {
    const { ring } = this.#calls;
    for (let round = 0; round < RINGS_IN_TURN && this.#isOpen; round++) {
      const deliveries = this.#calls.receive(this.#fd, ring.address, RING_SLOTS);
      if (deliveries < 0) {
        const errno = this.#calls.library.errno();
        if (errno !== EAGAIN && errno !== EINTR) onError(systemError(errno, 'recvmmsg'));
        return;
      }
      const at = this.#clock();
      for (let slot = 0; slot < deliveries; slot++) {
        ring.take(slot, this.#headBytes, at, onDatagram);
        if (ring.lost !== null) this.lost = ring.lost;
      }
      if (deliveries < RING_SLOTS) return;
    }
  }

  /** Most datagrams go where the one before went. */
  #number(address: string): number {
    if (address !== this.#peer) {
      this.#peerNumber = ipToNumber(address);
      this.#peer = address;
    }
    return this.#peerNumber;
  }

  #whenWritable(callback: () => void): void {
    this.#onWritable.push(callback);
    this.#watch.for({ readable: true, writable: true });
  }

  #writable(): void {
    const callbacks = this.#onWritable;
    this.#onWritable = [];
    this.#watch.for({ readable: true, writable: false });
    for (const callback of callbacks) if (this.#isOpen) callback();
  }
}
