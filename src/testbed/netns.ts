import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { UserError, messageOf } from '../util/errors.js';
import { processIdentity, type Host } from '../util/host.js';
import type { NodeAddresses } from './addresses.js';

/** The gateway's addresses, in the nodes' two networks. */
export const GATEWAY = { controlIp: '192.168.3.100', cmcIp: '192.168.1.100' };
/** Numbers from 100 on are the gateway's and the switches'. */
export const MAX_BRIDGED_NODES = 99;

/** `ip netns exec` shows a command this folder's files in place of /etc's. */
const ETC_NETNS = '/etc/netns';
const PREFIX = 'imaging-';

/** A testbed's network: a switch, a gateway and nodes, each in a namespace of its own; the machine's own network knows nothing of it. */
export type Namespaces = {
  nodes: readonly NodeAddresses[];
  /** The command line that runs `command` on the gateway, where host names of nodes and cards resolve. */
  onGateway(command: readonly string[]): string[];
  /** The same on a node. */
  onNode(number: number, command: readonly string[]): string[];
  close(): Promise<void>;
};

/**
 * Builds the network of a testbed of `nodes`. Needs root and iproute2. Throws UserError (refused: not root; environment:
 * addresses of other networks, `ip` fails), and leaves nothing then.
 */
export async function openNamespaces(nodes: readonly NodeAddresses[], host: Host): Promise<Namespaces> {
  if (host.uid() !== 0) throw new UserError('refused', 'network namespaces need root', 'without --netns, everything runs as any user');
  checkNetworks(nodes);
  await sweep(host);
  const name = (what: string): string => `${PREFIX}${host.pid}-${what}`;
  const all = [name('switch'), name('gateway'), ...nodes.map((node) => name(node.name))];
  const close = async (): Promise<void> => {
    await remove(all, host);
  };
  try {
    await ip(
      [],
      all.map((namespace) => `netns add ${namespace}`),
      host,
    );
    await wire(name('switch'), [name('gateway'), ...nodes.map((node) => name(node.name))], host);
    await address(name('gateway'), [GATEWAY.controlIp, GATEWAY.cmcIp], host);
    for (const node of nodes) await address(name(node.name), [node.controlIp, node.cmcIp], host);
    await writeHosts(name('gateway'), nodes);
  } catch (error) {
    await close();
    throw error;
  }
  const inside = (namespace: string, command: readonly string[]): string[] => ['ip', 'netns', 'exec', namespace, ...command];
  return {
    nodes,
    onGateway: (command) => inside(name('gateway'), command),
    onNode: (number, command) => {
      const node = nodes.find((one) => one.number === number);
      if (!node) throw new Error(`there is no node ${number}`);
      return inside(name(node.name), command);
    },
    close,
  };
}

/** The gateway must reach every node and card without a router, and keep its own addresses. */
function checkNetworks(nodes: readonly NodeAddresses[]): void {
  const network = (ip: string): string => ip.slice(0, ip.lastIndexOf('.'));
  for (const { name, cmcName, cmcIp, controlIp } of nodes) {
    for (const [who, ip, gateway] of [
      [cmcName, cmcIp, GATEWAY.cmcIp],
      [name, controlIp, GATEWAY.controlIp],
    ] as const) {
      if (ip === gateway) throw new UserError('environment', `${who} has ${ip}, which is the emulated gateway's address`);
      if (network(ip) !== network(gateway))
        throw new UserError(
          'environment',
          `${who} has ${ip}; with network namespaces CMC cards are in ${network(GATEWAY.cmcIp)}.0/24 and nodes in ${network(GATEWAY.controlIp)}.0/24`,
        );
    }
  }
}

/** One bridge that floods multicast as a plain switch does, and a cable from it to every other namespace. */
async function wire(switchName: string, others: readonly string[], host: Host): Promise<void> {
  const cables = others.flatMap((other, index) => [
    `link add port${index} type veth peer name eth0 netns ${other}`,
    `link set port${index} master br0`,
    `link set port${index} up`,
  ]);
  await ip(['-n', switchName], ['link set lo up', 'link add br0 type bridge mcast_snooping 0', 'link set br0 up', ...cables], host);
}

async function address(namespace: string, addresses: readonly string[], host: Host): Promise<void> {
  const lines = addresses.map((one) => `address add ${one}/24 broadcast + dev eth0`);
  await ip(['-n', namespace], ['link set lo up', ...lines, 'link set eth0 up', 'route add 224.0.0.0/4 dev eth0'], host);
}

async function writeHosts(gateway: string, nodes: readonly NodeAddresses[]): Promise<void> {
  const folder = join(ETC_NETNS, gateway);
  await mkdir(folder, { recursive: true });
  const lines = nodes.flatMap((node) => [`${node.controlIp} ${node.name}`, `${node.cmcIp} ${node.cmcName}`]);
  await writeFile(join(folder, 'hosts'), ['127.0.0.1 localhost', `${GATEWAY.controlIp} gateway`, ...lines, ''].join('\n'));
}

async function remove(namespaces: readonly string[], host: Host): Promise<void> {
  await ip(
    ['-force'],
    namespaces.map((namespace) => `netns delete ${namespace}`),
    host,
  ).catch(() => undefined); // those that are not there are gone
  for (const namespace of namespaces) await rm(join(ETC_NETNS, namespace), { recursive: true, force: true });
}

/** Removes the networks of testbeds whose process is gone. */
async function sweep(host: Host): Promise<void> {
  const listed = await run(['netns', 'list'], '', host);
  const namespaces = listed.split('\n').map((line) => line.split(' ')[0] ?? '');
  const dead = namespaces.filter((namespace) => {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(namespace)?.[1];
    return pid !== undefined && processIdentity(Number(pid)) === null;
  });
  if (dead.length > 0) await remove(dead, host);
}

/** Runs lines of `ip` at once. */
async function ip(options: readonly string[], lines: readonly string[], host: Host): Promise<void> {
  await run([...options, '-batch', '-'], `${lines.join('\n')}\n`, host);
}

async function run(args: readonly string[], input: string, host: Host): Promise<string> {
  const child = host.spawn('ip', [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  child.stdin.on('error', () => undefined); // it ended before it read all: its status tells
  child.stdin.end(input);
  try {
    const [output, errors, [code]] = await Promise.all([readAll(child.stdout), readAll(child.stderr), closed as Promise<unknown[]>]);
    if (code !== 0) throw new UserError('environment', `ip ${args.join(' ')}: ${errors.trim() || `ended with ${String(code)}`}`);
    return output;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('environment', `cannot run ip: ${messageOf(error)}`, 'network namespaces need iproute2');
  }
}
