import { NodeUdpSocket } from './node-udp-socket.js';
import { udpBatches } from './udp-batches.js';
import type { DatagramHandler, UdpSocket, UdpSocketOptions } from './udp-socket.js';

/** Opens and binds a socket. Rejects with a system error whose `code` is `EADDRINUSE`, `EADDRNOTAVAIL` ... */
export async function openUdpSocket(
  options: UdpSocketOptions,
  onDatagram: DatagramHandler,
  onError: (error: Error) => void,
): Promise<UdpSocket> {
  const batches = await udpBatches.get();
  return batches ? batches.open(options, onDatagram, onError) : NodeUdpSocket.open(options, onDatagram, onError);
}
