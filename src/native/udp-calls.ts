import { closeSync } from 'node:fs';
import { ipToNumber } from '../util/ipv4.js';
import { arenas } from './arena.js';
import { descriptors } from './descriptors.js';
import type { Library } from './library.js';
import { ReceiveRing, RING_BYTES } from './receive-ring.js';
import type { BatchCalls } from './segmented-batch.js';
import { systemError } from './system-error.js';
import {
  AF_INET,
  IPPROTO_IP,
  MAX_SEND_BYTES,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCKADDR_BYTES,
  writeSockaddr,
} from './udp-layout.js';

/** The calls that sockets are made of, with this thread's memory for their arguments. Those without a result throw system errors. */
export type UdpCalls = {
  library: Library;
  ring: ReceiveRing;
  batch: BatchCalls;
  open(): number;
  bind(fd: number, address: number, port: number): void;
  setOption(fd: number, level: number, option: number, value: number): void;
  /** Returns whether the kernel knows the option. */
  tryOption(fd: number, level: number, option: number, value: number): boolean;
  getOption(fd: number, level: number, option: number): number;
  setAddresses(fd: number, option: number, addresses: readonly string[]): void;
  /** Returns how many deliveries came, or -1. */
  receive(fd: number, ring: bigint, slots: number): number;
  /** Returns 0 or the errno. */
  send(fd: number, bytes: Uint8Array, address: number, port: number): number;
  close(fd: number): void;
};

/** Where in the memory for arguments an address, an option's value and its length lie; the bytes of a datagram follow. */
const NAME = 0;
const VALUE = 64;
const LENGTH = 128;
const DATAGRAM = 4096;

/** The calls of this thread. */
export function udpCalls(library: Library): UdpCalls {
  const func = library.func;
  const calls = {
    socket: func('int socket(int, int, int)'),
    bind: func('int bind(int, int64_t, unsigned int)'),
    setsockopt: func('int setsockopt(int, int, int, int64_t, unsigned int)'),
    getsockopt: func('int getsockopt(int, int, int, int64_t, int64_t)'),
    sendto: func('int64_t sendto(int, int64_t, size_t, int, int64_t, unsigned int)'),
    recvmmsg: func('int recvmmsg(int, int64_t, unsigned int, int, int64_t)'),
  };
  const known = descriptors(library);
  const arena = arenas(library);
  const memory = arena(DATAGRAM + MAX_SEND_BYTES);
  const at = (offset: number): bigint => memory.address + BigInt(offset);
  const check = (result: number | bigint, syscall: string): number => {
    if (result < 0) throw systemError(library.errno(), syscall);
    return Number(result);
  };
  const set = (fd: number, level: number, option: number, sizeBytes: number): number | bigint =>
    calls.setsockopt(fd, level, option, at(VALUE), sizeBytes);
  return {
    library,
    ring: new ReceiveRing(arena(RING_BYTES)),
    batch: {
      sendmsg: func('int64_t sendmsg(int, int64_t, int)'),
      sendmmsg: func('int sendmmsg(int, int64_t, unsigned int, int)'),
      errno: library.errno,
      arena,
    },
    open: () => known(check(calls.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket')),
    bind: (fd, address, port) => {
      writeSockaddr(memory.view, NAME, address, port);
      check(calls.bind(fd, at(NAME), SOCKADDR_BYTES), 'bind');
    },
    setOption: (fd, level, option, value) => {
      memory.view.setInt32(VALUE, value, true);
      check(set(fd, level, option, 4), 'setsockopt');
    },
    tryOption: (fd, level, option, value) => {
      memory.view.setInt32(VALUE, value, true);
      return set(fd, level, option, 4) === 0;
    },
    getOption: (fd, level, option) => {
      memory.view.setUint32(LENGTH, 4, true);
      check(calls.getsockopt(fd, level, option, at(VALUE), at(LENGTH)), 'getsockopt');
      return memory.view.getInt32(VALUE, true);
    },
    setAddresses: (fd, option, addresses) => {
      addresses.forEach((address, i) => memory.view.setUint32(VALUE + 4 * i, ipToNumber(address)));
      check(set(fd, IPPROTO_IP, option, 4 * addresses.length), 'setsockopt');
    },
    receive: (fd, ring, slots) => Number(calls.recvmmsg(fd, ring, slots, MSG_DONTWAIT, 0)),
    send: (fd, bytes, address, port) => {
      memory.bytes.set(bytes, DATAGRAM);
      writeSockaddr(memory.view, NAME, address, port);
      const sent = calls.sendto(fd, at(DATAGRAM), bytes.byteLength, MSG_DONTWAIT, at(NAME), SOCKADDR_BYTES);
      return sent < 0 ? library.errno() : 0;
    },
    close: closeSync,
  };
}
