import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { UserError, messageOf, systemCode } from '../util/errors.js';
import type { NodePorts } from './emulated-node.js';
import { closeServer, listenOn } from './listening.js';

/**
 * What keeps testbeds on one machine apart: all share the loopback addresses, each has ports and multicast groups of its
 * own. Held until `release`.
 */
export type Slot = NodePorts & {
  /** Concurrent sessions take `frisbeeBase + 1` … `frisbeeBase + FRISBEE_PORTS`. */
  frisbeeBase: number;
  /** The first three bytes of the multicast groups, `239.192.7`. */
  groupPrefix: string;
  release(): Promise<void>;
};

export const FRISBEE_PORTS = 20;
/** Below the ports that Linux gives to outgoing connections (32768 on). */
const FIRST_PORT = 20_000;
const PORTS_PER_SLOT = 40;
const SLOTS = 256;

/** Takes the first free slot from `preferred` on; a port of each slot is listened on as its lock. */
export async function claimSlot(preferred: number, probeIp: string): Promise<Slot> {
  let last: unknown;
  for (let attempt = 0; attempt < SLOTS; attempt++) {
    const index = (preferred + attempt) % SLOTS;
    try {
      return await claim(index, probeIp);
    } catch (error) {
      last = error;
      if (systemCode(error) !== 'EADDRINUSE' && systemCode(error) !== 'EACCES') break;
    }
  }
  throw new UserError(
    'environment',
    `no free ports for a testbed between ${FIRST_PORT} and ${FIRST_PORT + SLOTS * PORTS_PER_SLOT}: ${messageOf(last)}`,
  );
}

async function claim(index: number, probeIp: string): Promise<Slot> {
  const base = FIRST_PORT + index * PORTS_PER_SLOT;
  const lock = createServer((socket) => socket.destroy());
  await listenOn(lock, '127.0.0.1', base);
  try {
    for (const port of [base + 1, base + 2, base + 3]) await probeTcp(probeIp, port);
    await probeUdp(probeIp, base + 11);
  } catch (error) {
    await closeServer(lock);
    throw error;
  }
  lock.unref();
  return {
    cmc: base + 1,
    telnet: base + 2,
    ssh: base + 3,
    frisbeeBase: base + 10,
    groupPrefix: `239.192.${index}`,
    release: () => closeServer(lock),
  };
}

/** Some other program may have the port on all addresses. */
async function probeTcp(ip: string, port: number): Promise<void> {
  const server = createServer();
  await listenOn(server, ip, port);
  await closeServer(server);
}

function probeUdp(ip: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: ip, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
