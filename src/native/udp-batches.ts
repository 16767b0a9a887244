import { BatchedUdpSocket } from './batched-udp-socket.js';
import { capability } from './capability.js';
import type { Library } from './library.js';
import { udpCalls } from './udp-calls.js';
import { SOL_UDP, UDP_SEGMENT } from './udp-layout.js';
import type { DatagramHandler, UdpSocket, UdpSocketOptions } from './udp-socket.js';

/** Opens UDP sockets that are read and written in batches. */
export type UdpBatches = {
  /** As `openUdpSocket`, but it throws. */
  open(options: UdpSocketOptions, onDatagram: DatagramHandler, onError: (error: Error) => void): UdpSocket;
};

export const udpBatches = capability<UdpBatches>(
  {
    name: 'udp-batches',
    does: 'sends and receives up to 64 datagrams in one system call (UDP_SEGMENT, UDP_GRO, recvmmsg)',
    without: 'each datagram is a system call of its own: three to six times the processor time of a session',
  },
  openUdpBatches,
);

/** Throws, with the reason, where the kernel does not cut datagrams. */
export function openUdpBatches(library: Library): UdpBatches {
  const calls = udpCalls(library);
  const fd = calls.open();
  try {
    if (!calls.tryOption(fd, SOL_UDP, UDP_SEGMENT, 0)) throw new Error('this kernel does not cut datagrams (UDP_SEGMENT, Linux 4.18)');
  } finally {
    calls.close(fd);
  }
  return { open: (options, onDatagram, onError) => new BatchedUdpSocket(calls, options, onDatagram, onError) };
}
