import type { SessionAddress, Origin } from './session-address.js';
import { createSocket, type Socket } from 'node:dgram';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { isMulticast } from '../util/ipv4.js';
import { fail } from './failures.js';

export type SessionSockets = {
  /** Bytes of receive and send buffer the kernel granted. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  /**
   * Sends to the session port of `address`; `done` gets the error, if any. The bytes must not change until then, or until
   * that of a later datagram: they leave in order.
   */
  send(bytes: Uint8Array, address: string, done?: (error: Error | null) => void): void;
  /** Leaves the group and joins it again: keeps switches that lost us (IGMP snooping) forwarding. */
  rejoin(): void;
  close(): Promise<void>;
};

/** What reaches every 127.x address of this machine. */
export const LOOPBACK_BROADCAST = '127.255.255.255';
/** Datagrams live this many router hops, as in the real programs. */
const MULTICAST_TTL = 5;
export const SOCKET_BUFFER_BYTES = 1 << 20;

export type DatagramHandler = (bytes: Buffer, from: Origin) => void;

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
  let groupSocket: Socket = own;
  try {
    if (multicast) {
      onInterface(session, () => {
        own.setMulticastTTL(MULTICAST_TTL);
        own.setMulticastLoopback(session.loopback);
        own.setMulticastInterface(session.localIp);
      });
      if (session.loopback) groupSocket = await openSocket(session, session.group, true, onDatagram, onError);
      onInterface(session, () => groupSocket.addMembership(session.group, session.localIp));
    } else {
      own.setBroadcast(true);
      // a broadcast reaches no socket that is bound to another address
      if (session.loopback && session.group === LOOPBACK_BROADCAST)
        groupSocket = await openSocket(session, session.group, true, onDatagram, onError);
    }
  } catch (error) {
    own.close();
    if (groupSocket !== own) groupSocket.close();
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
  if (isMulticast(session.group)) {
    own.setMulticastTTL(MULTICAST_TTL);
    own.setMulticastLoopback(true);
    own.setMulticastInterface(session.localIp);
  }
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
    socket.close();
    throw error;
  }
  return sessionSockets(session, socket, socket, true);
}

function sessionSockets(session: SessionAddress, own: Socket, groupSocket: Socket, multicast: boolean): SessionSockets {
  const { group, port, localIp, bufferBytes = SOCKET_BUFFER_BYTES } = session;
  const both = own === groupSocket ? [own] : [own, groupSocket];
  let closing: Promise<void> | null = null;
  return {
    // Linux counts its own overhead in and reports twice what was asked for
    receiveBufferBytes: Math.min(bufferBytes, groupSocket.getRecvBufferSize() / 2),
    sendBufferBytes: Math.min(bufferBytes, own.getSendBufferSize() / 2),
    send: (bytes, address, done) => own.send(bytes, port, address, done),
    rejoin: () => {
      if (!multicast || closing) return;
      groupSocket.dropMembership(group, localIp);
      groupSocket.addMembership(group, localIp);
    },
    close: () => {
      closing ??= Promise.all(both.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve())))).then(() => undefined);
      return closing;
    },
  };
}

function openSocket(
  session: SessionAddress,
  bindTo: string,
  shared: boolean,
  onDatagram: DatagramHandler,
  onError: (error: Error) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: 'udp4',
      reuseAddr: shared,
      recvBufferSize: session.bufferBytes ?? SOCKET_BUFFER_BYTES,
      sendBufferSize: session.bufferBytes ?? SOCKET_BUFFER_BYTES,
      // destinations are always dotted addresses: a look-up, even a trivial one, would cost a turn for each datagram
      lookup: (address, _family, callback) => callback(null, address, 4),
    });
    const onFailed = (error: Error): void => {
      socket.close();
      reject(bindFailure(session, bindTo, error));
    };
    socket.once('error', onFailed);
    socket.bind({ port: session.port, address: bindTo, exclusive: true }, () => {
      socket.off('error', onFailed);
      socket.on('error', onError);
      socket.on('message', onDatagram);
      resolve(socket);
    });
  });
}

function bindFailure(session: SessionAddress, bindTo: string, error: Error): Failure {
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
