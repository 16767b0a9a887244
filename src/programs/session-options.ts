import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { isMulticast } from '../util/ipv4.js';
import { LOOPBACK_BROADCAST } from '../frisbee/sockets.js';
import { messageOf } from '../util/errors.js';
import { ownAddresses } from '../util/own-addresses.js';
import { numberValue, type Options } from './getopt.js';

/** As the real programs' is, and their largest: a client that is kept from its socket for a moment loses nothing. */
export const SERVER_BUFFER_KB = 1024;
export const CLIENT_BUFFER_KB = 4096;

/** What frisbee and frisbeed need to meet: `-m`, `-p`, `-i`, and the size of their socket buffers, `-k`. */
export type SessionArguments = { group: string; port: number; localIp: string; loopback: boolean; bufferBytes: number };

/** Reads -m, -p, -i and -k. Returns a complaint when one of them is missing or makes no sense. */
export async function sessionArguments(
  options: Options,
  env: Readonly<Record<string, string | undefined>>,
  defaultBufferKb: number,
): Promise<SessionArguments | string> {
  const loopback = options.flags.has('--loopback') || env.IMAGING_FRISBEE_LOOPBACK === '1';
  const everybody = loopback ? LOOPBACK_BROADCAST : '255.255.255.255';
  const group = options.values.get('m') ?? (options.flags.has('b') ? everybody : undefined);
  const port = numberValue(options, 'p', 0, 1);
  if (group === undefined || !options.values.has('p')) return 'both -m and -p are needed';
  if (!isIPv4(group)) return `-m ${group}: not an IPv4 address`;
  if (options.flags.has('b') && isMulticast(group)) return `-b and -m ${group} contradict each other: that is a multicast group`;
  if (port === null || port > 65535) return `-p ${options.values.get('p') ?? ''}: not a port number`;
  const bufferKb = numberValue(options, 'k', defaultBufferKb, 1);
  if (bufferKb === null) return '-k takes a number of KB';
  const localIp = await localAddress(options.values.get('i'), group, port);
  return 'problem' in localIp
    ? localIp.problem
    : { group, port, localIp: localIp.address, loopback, bufferBytes: Math.min(bufferKb, 4096) * 1024 };
}

/** The address given, that of the interface named, or the one the kernel would send from. */
async function localAddress(given: string | undefined, group: string, port: number): Promise<{ address: string } | { problem: string }> {
  if (given !== undefined && isIPv4(given)) return { address: given };
  if (given !== undefined) {
    const found = (await ownAddresses()).find(({ name }) => name === given);
    return found ? { address: found.address } : { problem: `-i ${given}: neither an IPv4 address nor an interface that has one` };
  }
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      if (!isMulticast(group)) socket.bind(0, () => socket.setBroadcast(true));
      socket.connect(port, group, () => resolve({ address: socket.address().address }));
    });
  } catch (error) {
    return { problem: `no route to ${group} (${messageOf(error)}); say with -i which address to use` };
  } finally {
    socket.close();
  }
}
