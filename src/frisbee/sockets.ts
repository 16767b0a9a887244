import type { SessionAddress } from './session-address.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { isMulticast } from '../util/ipv4.js';
import { BLOCK_DATA_OFFSET } from './wire.js';
import { openUdpSocket } from '../native/open-udp-socket.js';
import type { DatagramBatch, DatagramHandler, UdpSocket } from '../native/udp-socket.js';
import { fail } from './failures.js';

export type SessionSockets = {
  /** Bytes of receive and send buffer the kernel granted. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  /** Datagrams to the group that found no room in the receive buffer, as far as is known. */
  readonly lost: number;
  /**
   * Sends to the session port of `address`; `done` gets the error, if any. The bytes must not change until then, or until
   * that of a later datagram: they leave in order.
   */
  send(bytes: Uint8Array, address: string, done?: (error: Error | null) => void): void;
  /** Memory for datagrams of one size that leave together. */
  batch(count: number, sizeBytes: number): DatagramBatch;
  /** Leaves the group and joins it again: keeps switches that lost us (IGMP snooping) forwarding. */
  rejoin(): void;
  close(): Promise<void>;
};

/** What reaches every 127.x address of this machine. */
export const LOOPBACK_BROADCAST = '127.255.255.255';
/** Datagrams live this many router hops, as in the real programs. */
const MULTICAST_TTL = 5;
export const SOCKET_BUFFER_BYTES = 1 << 20;

/**
 * Opens the socket (in loopback mode: the two sockets) of one party of a session.
 * Throws Failure 'address-in-use' when somebody else has the port, 'bad-interface' when `localIp` cannot do multicast.
 */
export async function openSession(
  session: SessionAddress,
  onDatagram: DatagramHandler,
  onError: (error: Error) => void,
): Promise<SessionSockets> {
  const multicast = isMulticast(session.group);
  const bindTo = session.loopback ? session.localIp : '0.0.0.0';
  const own = await openSocket(session, bindTo, false, onDatagram, onError);
  let groupSocket = own;
  try {
    if (multicast) {
      onInterface(session, () => {
        own.setMulticast({ ttl: MULTICAST_TTL, loopback: session.loopback, localIp: session.localIp });
      });
      if (session.loopback) groupSocket = await openSocket(session, session.group, true, onDatagram, onError);
      onInterface(session, () => groupSocket.addMembership(session.group, session.localIp));
    } else {
      own.setBroadcast();
      // a broadcast reaches no socket that is bound to another address
      if (session.loopback && session.group === LOOPBACK_BROADCAST)
        groupSocket = await openSocket(session, session.group, true, onDatagram, onError);
    }
  } catch (error) {
    await own.close();
    await groupSocket.close();
    throw error;
  }
  return sessionSockets(session, own, groupSocket, multicast);
}

/** Opens only the exclusive socket of a loopback party: it sends everything and receives what is sent to it alone. */
export async function openLoopbackSender(
  session: SessionAddress,
  onDatagram: DatagramHandler,
  onError: (error: Error) => void,
): Promise<SessionSockets> {
  const own = await openSocket(session, session.localIp, false, onDatagram, onError);
  if (isMulticast(session.group)) own.setMulticast({ ttl: MULTICAST_TTL, loopback: true, localIp: session.localIp });
  return sessionSockets(session, own, own, false);
}

/** Opens the shared socket on which all loopback parties of one process hear a group. */
export async function openGroupListener(
  session: SessionAddress,
  onDatagram: DatagramHandler,
  onError: (error: Error) => void,
): Promise<SessionSockets> {
  const socket = await openSocket(session, session.group, true, onDatagram, onError);
  try {
    onInterface(session, () => socket.addMembership(session.group, session.localIp));
  } catch (error) {
    await socket.close();
    throw error;
  }
  return sessionSockets(session, socket, socket, true);
}

function sessionSockets(session: SessionAddress, own: UdpSocket, groupSocket: UdpSocket, multicast: boolean): SessionSockets {
  const { group, port, localIp } = session;
  let isClosing = false;
  return {
    receiveBufferBytes: groupSocket.receiveBufferBytes,
    sendBufferBytes: own.sendBufferBytes,
    get lost() {
      return groupSocket.lost;
    },
    send: (bytes, address, done) => own.send(bytes, address, port, done),
    batch: (count, sizeBytes) => own.batch(count, sizeBytes),
    rejoin: () => {
      if (!multicast || isClosing) return;
      groupSocket.dropMembership(group, localIp);
      groupSocket.addMembership(group, localIp);
    },
    close: async () => {
      isClosing = true;
      await own.close();
      await groupSocket.close();
    },
  };
}

async function openSocket(
  session: SessionAddress,
  address: string,
  shared: boolean,
  onDatagram: DatagramHandler,
  onError: (error: Error) => void,
): Promise<UdpSocket> {
  const { port, bufferBytes = SOCKET_BUFFER_BYTES } = session;
  try {
    return await openUdpSocket(
      { address, port, shared, bufferBytes, headBytes: BLOCK_DATA_OFFSET, clock: systemHost.monotonicMs },
      onDatagram,
      onError,
    );
  } catch (error) {
    throw bindFailure(session, address, error);
  }
}

function bindFailure(session: SessionAddress, bindTo: string, error: unknown): Failure {
  const where = `UDP ${bindTo}:${session.port}`;
  if (systemCode(error) === 'EADDRINUSE') {
    return fail(
      'address-in-use',
      `cannot bind ${where}: somebody else has it`,
      'another frisbee session uses this port; take the next one',
      { cause: error },
    );
  }
  if (systemCode(error) === 'EADDRNOTAVAIL') {
    return fail(
      'bad-interface',
      `cannot bind ${where}: not an address of this machine`,
      'give one of the addresses that "ip address" shows',
      { cause: error },
    );
  }
  return fail('bind-failed', `cannot bind ${where}: ${messageOf(error)}`, undefined, { cause: error });
}

function onInterface(session: SessionAddress, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw fail(
      'bad-interface',
      `cannot join ${session.group} on ${session.localIp}: ${messageOf(error)}`,
      'is it an address of a network interface of this machine that is up?',
      { cause: error },
    );
  }
}
