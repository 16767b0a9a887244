import { mkdir } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { makeDemoImage } from './demo-image.js';
import { inspectImage, type ImageInfo } from '../ndz/read/inspect.js';
import type { Inventory } from '../inventory/inventory.js';
import { fold, type NodeNames } from '../nodes/names.js';
import { reasonOf } from '../util/abort.js';
import { packageRoot } from '../util/dist.js';
import { UserError, messageOf } from '../util/errors.js';
import { systemHost, type Host } from '../util/host.js';
import { UndoStack } from '../util/undo.js';
import { MAX_NODES, bridgedAddresses, inventoryAddresses, loopbackAddresses, type NodeAddresses } from './addresses.js';
import { NodeDisk } from './disk.js';
import type { NodePorts, NodeSpec } from './emulated-node.js';
import { checkFaults, faultProfile, type Fault } from './fault.js';
import { FrisbeeThread } from './frisbee-thread.js';
import { localNodeHost } from './local-node-host.js';
import { GATEWAY, MAX_BRIDGED_NODES, openNamespaces, type Namespaces } from './netns.js';
import { netnsNodeHost } from './netns-node-host.js';
import type { NodeHost, RunningNode } from './node-host.js';
import type { NodePhase } from './node-machine.js';
import { checkOpenFiles } from './open-files.js';
import { scriptedFrisbee } from './scripted-frisbee.js';
import { findShell } from './shell-program.js';
import { linkDefaultImage, siteLayout, writeSite, type SiteLayout, type SiteSettings } from './site-files.js';
import { openFolder } from './site-folder.js';
import { claimSlot } from './slot.js';

export type TestbedOptions = {
  /** Nodes 1 to `count`. */
  count: number;
  /** The nodes of an inventory instead, with the names, addresses and MACs it gives them; `count` is how many it has. */
  site?: InventorySite;
  /** Folder for everything; null for a temporary one, which goes at the end. Disks found in it are kept. */
  dir: string | null;
  faults: readonly Fault[];
  /** The ramdisk's shell: a real one, or a little one inside this process for hundreds of nodes. */
  shell: 'real' | 'builtin';
  /** Whether nodes receive images, or only print as if. */
  frisbee: 'real' | 'scripted';
  /** From power to the ramdisk's telnet, milliseconds. */
  bootMs?: number;
  /** From power to the disk's system, milliseconds. */
  osBootMs?: number;
  /** Size of the demo image's disk; smaller for many nodes unless given. */
  imageBytes?: number;
  /** The nodes start switched on, running the demo image. */
  on?: boolean;
  /** Each node in a network namespace and process of its own, with the ports of real hardware. Needs root and iproute2. */
  netns?: boolean;
  /** With `netns`: the program that nodes run as frisbee, instead of our own client. */
  frisbeeBin?: string;
  signal?: AbortSignal;
  host?: Host;
};

/** An inventory and how its nodes are called. */
export type InventorySite = { inventory: Inventory; names: NodeNames };

const DEFAULT_NAMES: NodeNames = { regularName: 'fit', rebootName: 'reboot' };

/** The image every testbed has, as `demo` and as default image. */
export type DemoImage = { ndzPath: string; rawPath: string; sha256: string; diskBytes: number; info: ImageInfo };

export type TestbedStatus = { nodes: { node: string; phase: NodePhase }[]; problems: readonly string[] };

export type Testbed = {
  readonly dir: string;
  /** What the environment of a command inside must hold besides the caller's own: configuration and PATH. */
  readonly env: Readonly<Record<string, string>>;
  readonly nodes: readonly RunningNode[];
  readonly demoImage: DemoImage;
  /** The command line that runs `command` on the testbed's gateway. */
  onGateway(command: readonly string[]): string[];
  status(): TestbedStatus;
  /** Ends everything and, when the folder is temporary, removes it; what went wrong, one line each. */
  close(): Promise<string[]>;
};

const DEFAULT_BOOT_MS = 200;
const DEFAULT_OS_BOOT_MS = 300;
const MEBIBYTE = 1 << 20;
/** What all nodes together write to one machine's memory or disk in a load, unless told otherwise. */
const DISKS_BYTES = 640 * MEBIBYTE;
const STARTED_AT_ONCE = 64;
/** HTTP, telnet and ssh where hardware has them. */
const REAL_PORTS: NodePorts = { cmc: 80, telnet: 23, ssh: 22 };

/**
 * Starts an emulated testbed: power cards, ramdisks, disks and their systems, and the gateway's files. Resolves when every
 * power card answers. Throws a UserError (environment: not enough open files or ports, no shell; refused: the folder is in
 * use; usage: too many nodes, faults for nodes that are not there), or the signal's reason; nothing stays behind then.
 */
export async function startTestbed(options: TestbedOptions): Promise<Testbed> {
  const { count } = options;
  if (!Number.isInteger(count) || count < 1 || count > MAX_NODES)
    throw new UserError('usage', `a testbed has 1 to ${MAX_NODES} nodes, not ${count}`);
  const addresses = addressesOf(options);
  checkFaults(
    options.faults,
    addresses.map((node) => node.number),
  );
  checkOpenFiles(count);
  if (options.frisbeeBin !== undefined && options.netns !== true)
    throw new UserError(
      'usage',
      'another frisbee needs network namespaces',
      'add --netns: programs that bind all addresses cannot share one network',
    );
  if (options.netns === true && options.frisbee === 'scripted')
    throw new UserError('usage', 'with network namespaces nodes really receive', 'leave --frisbee scripted or --netns out');
  const undo = new UndoStack();
  try {
    return await start(options, addresses, undo);
  } catch (error) {
    await undo.run();
    throw error;
  }
}

/** Where every node will be. Throws a UserError when this machine cannot answer there. */
function addressesOf({ count, site, netns }: TestbedOptions): NodeAddresses[] {
  if (!site) {
    if (netns === true && count > MAX_BRIDGED_NODES)
      throw new UserError('usage', `with network namespaces a testbed has at most ${MAX_BRIDGED_NODES} nodes, not ${count}`);
    return Array.from({ length: count }, (_, index) => (netns === true ? bridgedAddresses : loopbackAddresses)(index + 1));
  }
  const { nodes, path } = site.inventory;
  const far = netns === true ? undefined : nodes.flatMap(({ cmc, control }) => [cmc, control]).find((nic) => !nic.ip.startsWith('127.'));
  if (far)
    throw new UserError(
      'environment',
      `${path}: ${far.hostname} has ${far.ip}, and without --netns emulated nodes can only have addresses of 127.0.0.0/8`,
      'generate the inventory from a description whose networks are of 127.0.0.0/8, or, as root, add --netns',
    );
  return nodes.map(inventoryAddresses);
}

async function start(options: TestbedOptions, addresses: readonly NodeAddresses[], undo: UndoStack): Promise<Testbed> {
  const { host = systemHost, signal } = options;
  const count = addresses.length;
  const imageBytes = options.imageBytes ?? defaultImageBytes(count);
  const disksBytes = options.frisbee === 'real' ? count * imageBytes : 0;
  const layout = siteLayout(await openFolder(options.dir, disksBytes + 4 * imageBytes, host, undo));
  const network = options.netns === true ? await bridged(addresses, host, undo) : await onLoopback(addresses, host, undo);
  const { ports } = network;
  await writeSite(layout, addresses, {
    ...network.settings,
    names: options.site?.names ?? DEFAULT_NAMES,
    bandwidthMibps: bandwidthFor(count),
    verify: options.frisbee === 'scripted' ? 'none' : null,
  });
  const demoImage = await makeImage(layout, imageBytes);
  const nodeHost = network.namespaces
    ? await netnsHostFor(options, host, layout, network.namespaces)
    : hostFor(options, host, layout, demoImage);
  undo.push('nodes', () => nodeHost.close());
  const limit = pLimit(STARTED_AT_ONCE);
  const nodes = await limit.map(addresses, async (address) => {
    if (signal?.aborted) throw reasonOf(signal);
    return nodeHost.start(await prepareNode(address, options, layout, ports, demoImage));
  });
  return {
    dir: layout.dir,
    env: {
      IMAGING_CONFIG: layout.configPath,
      ALL_NODES: fold(addresses.map((node) => node.number)), // the caller's own would name another testbed's nodes
      PATH: [join(packageRoot, 'bin'), host.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'].join(delimiter),
    },
    nodes,
    demoImage,
    onGateway: (command) => network.namespaces?.onGateway(command) ?? [...command],
    status: () => ({ nodes: nodes.map((node) => ({ node: node.name, phase: node.phase() })), problems: nodeHost.problems() }),
    close: () => undo.run(),
  };
}

type Network = {
  ports: NodePorts;
  settings: Pick<SiteSettings, 'slot' | 'localControlIp' | 'multicastLoop'>;
  namespaces: Namespaces | null;
};

async function onLoopback(addresses: readonly NodeAddresses[], host: Host, undo: UndoStack): Promise<Network> {
  const slot = await claimSlot(host.pid, addresses[0]?.controlIp ?? '127.0.0.1');
  undo.push('ports', () => slot.release());
  const ports = { cmc: slot.cmc, telnet: slot.telnet, ssh: slot.ssh };
  return { ports, settings: { slot, localControlIp: '127.0.0.1', multicastLoop: true }, namespaces: null };
}

async function bridged(addresses: readonly NodeAddresses[], host: Host, undo: UndoStack): Promise<Network> {
  const namespaces = await openNamespaces(addresses, host);
  undo.push('network namespaces', () => namespaces.close());
  const settings = { slot: null, localControlIp: GATEWAY.controlIp, multicastLoop: false };
  return { ports: REAL_PORTS, settings, namespaces };
}

function netnsHostFor(options: TestbedOptions, host: Host, layout: SiteLayout, namespaces: Namespaces): Promise<NodeHost> {
  return netnsNodeHost({
    host,
    namespaces,
    shellProgram: options.shell === 'real' ? findShell(host, layout.dir) : null,
    sessionsFolder: join(layout.dir, 'sessions'),
    frisbeeBin: options.frisbeeBin === undefined ? null : resolve(host.cwd(), options.frisbeeBin),
  });
}

async function makeImage(layout: SiteLayout, sizeBytes: number): Promise<DemoImage> {
  try {
    const { ndzPath, rawPath, sha256 } = await makeDemoImage(layout.imagesFolder, { sizeBytes });
    await linkDefaultImage(layout, ndzPath);
    const info = await inspectImage(ndzPath);
    return { ndzPath, rawPath, sha256, diskBytes: info.diskBytes, info };
  } catch (error) {
    throw new UserError('environment', `cannot make the demo image in ${layout.imagesFolder}: ${messageOf(error)}`, undefined, {
      cause: error,
    });
  }
}

function hostFor(options: TestbedOptions, host: Host, layout: SiteLayout, image: DemoImage): NodeHost {
  const thread = options.frisbee === 'real' ? new FrisbeeThread({ loopback: true }) : null;
  return localNodeHost({
    host,
    shellProgram: options.shell === 'real' ? findShell(host, layout.dir) : null,
    sessionsFolder: join(layout.dir, 'sessions'),
    frisbee: (spec, disk, crash) => {
      const { faults } = spec.setup;
      return thread ? thread.program(faults, disk, crash) : scriptedFrisbee(image, faults, disk, crash);
    },
    closeFrisbee: async () => thread?.close(),
  });
}

async function prepareNode(
  addresses: NodeAddresses,
  options: TestbedOptions,
  layout: SiteLayout,
  ports: NodePorts,
  image: DemoImage,
): Promise<NodeSpec> {
  const faults = faultProfile(addresses.number, options.faults);
  const folder = join(layout.nodesFolder, addresses.name);
  await mkdir(folder, { recursive: true });
  const disk = new NodeDisk(join(folder, 'disk.img'));
  const running = options.on === true || faults.preloaded;
  if (!running) await disk.create(2 * image.diskBytes);
  else if (options.frisbee === 'scripted') await disk.share(image.rawPath);
  else await disk.fill(image.rawPath);
  return {
    addresses,
    ports,
    pxeFolder: layout.pxeFolder,
    diskPath: disk.path,
    upPath: join(layout.upFolder, addresses.controlIp),
    setup: { faults, times: { ramdiskMs: options.bootMs ?? DEFAULT_BOOT_MS, osMs: options.osBootMs ?? DEFAULT_OS_BOOT_MS } },
    running,
  };
}

function defaultImageBytes(count: number): number {
  return MEBIBYTE * Math.max(12, Math.min(48, Math.round(DISKS_BYTES / count / MEBIBYTE)));
}

/** What so many receivers on one machine can take, on two cores: 33 MB/s at 12, 17 MB/s at 100 (measured). */
function bandwidthFor(count: number): number {
  return Math.round(Math.max(40, Math.min(300, 1300 / Math.sqrt(count))));
}
