import { ipToNumber } from '../util/ipv4.js';
import type { Watch } from './watch.js';
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
const EBADF = 9;
const ECANCELED = 125;

/** What found the kernel full: `attempt` returns 0 or the errno. */
type Waiting = { attempt: () => number; syscall: string; done: SendDone | undefined };

/** A UDP socket over the kernel's own calls, many datagrams in each. */
export class BatchedUdpSocket implements UdpSocket {
  lost = 0;
  readonly #calls: UdpCalls;
  /** -1 once it is closed: the kernel then refuses whatever is still asked for. */
  #fd: number;
  readonly #bufferBytes: number;
  readonly #headBytes: number;
  readonly #clock: () => number;
  readonly #watch: Watch;
  readonly #batches: SegmentedBatch[] = [];
  /** Sends that wait for room, in the order they were asked for. */
  #waiting: Waiting[] = [];
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
      // what is still at hand when a handler closes the socket is nobody's any more
      const deliver: DatagramHandler = (bytes, from, at, body) => void (this.#fd >= 0 && onDatagram(bytes, from, at, body));
      this.#watch = calls.library.watch(this.#fd, ({ readable, writable }) => {
        if (writable) this.#sendWaiting();
        if (readable && this.#fd >= 0) this.#receive(deliver, onError);
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
    this.#send({ attempt: () => this.#calls.send(this.#fd, bytes, this.#number(address), port), syscall: 'sendto', done });
  }

  batch(count: number, sizeBytes: number): DatagramBatch {
    const batch = new SegmentedBatch(this.#calls.batch, this.#fd, count, sizeBytes);
    this.#batches.push(batch);
    return {
      datagrams: batch.datagrams,
      send: (most, address, port, done) => {
        const attempt = (): number => (this.#fd < 0 ? EBADF : batch.send(most, this.#number(address), port));
        this.#send({ attempt, syscall: 'sendmsg', done });
      },
    };
  }

  close(): Promise<void> {
    if (this.#fd >= 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#watch.close();
      this.#calls.close(this.#fd);
      this.#fd = -1;
      for (const batch of this.#batches) batch.release();
      for (const { syscall, done } of waiting) done?.(systemError(ECANCELED, syscall));
    }
    return Promise.resolve();
  }

  /** Takes what has come, but lets others have their turn when there is much. */
  #receive(onDatagram: DatagramHandler, onError: (error: Error) => void): void {
    const { ring } = this.#calls;
    for (let round = 0; round < RINGS_IN_TURN && this.#fd >= 0; round++) {
      ring.makeReady();
      const deliveries = this.#calls.receive(this.#fd, ring.address, RING_SLOTS);
      ring.filled = Math.max(0, deliveries);
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

  /** Sends at once, or after what waits already: datagrams leave in order. */
  #send(sending: Waiting): void {
    const errno = this.#waiting.length > 0 ? EAGAIN : sending.attempt();
    if (errno !== EAGAIN) return sending.done?.(errno === 0 ? null : systemError(errno, sending.syscall));
    this.#waiting.push(sending);
    if (this.#waiting.length === 1) this.#watch.for({ readable: true, writable: true });
  }

  #sendWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const errno = next.attempt();
      if (errno === EAGAIN) return;
      this.#waiting.shift();
      next.done?.(errno === 0 ? null : systemError(errno, next.syscall));
    }
    if (this.#fd >= 0) this.#watch.for({ readable: true, writable: false });
  }
}
