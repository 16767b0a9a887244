import { mkdir, symlink, writeFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fold, type NodeNames } from '../nodes/names.js';
import type { NodeAddresses } from './addresses.js';
import { MOUNT_POINT } from './ramdisk.js';
import { FRISBEE_PORTS, type Slot } from './slot.js';

/** Where everything of a testbed is, under its folder. */
export type SiteLayout = {
  dir: string;
  configPath: string;
  inventoryPath: string;
  pxeFolder: string;
  imagesFolder: string;
  nodesFolder: string;
  /** Holds one empty file per address on which a system runs. */
  upFolder: string;
  binFolder: string;
  runsFolder: string;
  pingPath: string;
  ownerPath: string;
};

export function siteLayout(dir: string): SiteLayout {
  return {
    dir,
    configPath: join(dir, 'imaging.conf'),
    inventoryPath: join(dir, 'inventory.json'),
    pxeFolder: join(dir, 'tftpboot', 'pxelinux.cfg'),
    imagesFolder: join(dir, 'images'),
    nodesFolder: join(dir, 'nodes'),
    upFolder: join(dir, 'up'),
    binFolder: join(dir, 'bin'),
    runsFolder: join(dir, 'state'),
    pingPath: join(dir, 'bin', 'ping'),
    ownerPath: join(dir, 'testbed.json'),
  };
}

const RAMDISK_CONFIG = 'pxefrisbee';

/** What the gateway of this testbed is told; everything else is left to the defaults. */
export type SiteSettings = {
  slot: Slot | null;
  names: NodeNames;
  localControlIp: string;
  multicastLoop: boolean;
  bandwidthMibps: number;
  /** Whether loads read back what they wrote; null for the default. */
  verify: 'none' | null;
};

/** Writes the configuration, the inventory, the boot configurations and the ping program. */
export async function writeSite(layout: SiteLayout, nodes: readonly NodeAddresses[], settings: SiteSettings): Promise<void> {
  await rm(layout.upFolder, { recursive: true, force: true }); // a testbed that was killed leaves its nodes' marks
  for (const folder of [layout.pxeFolder, layout.imagesFolder, layout.nodesFolder, layout.upFolder, layout.binFolder, layout.runsFolder]) {
    await mkdir(folder, { recursive: true });
  }
  await writeFile(layout.configPath, configText(layout, settings, fold(nodes.map((node) => node.number))));
  await writeFile(layout.inventoryPath, inventoryText(nodes));
  await writeFile(
    join(layout.pxeFolder, RAMDISK_CONFIG),
    'DEFAULT frisbee\nLABEL frisbee\n  KERNEL vmlinuz-frisbee\n  APPEND initrd=initrd-frisbee.img\n',
  );
  // an emulated node boots without them, and yet the TFTP root is what a real one would need
  for (const file of ['vmlinuz-frisbee', 'initrd-frisbee.img'])
    await writeFile(join(layout.pxeFolder, '..', file), 'of an emulated testbed: its nodes need none\n');
  await writeFile(join(layout.pxeFolder, 'default'), 'DEFAULT disk\nLABEL disk\n  KERNEL chain.c32\n  APPEND hd0\n');
  await writeFile(layout.pingPath, pingText(layout.upFolder), { mode: 0o755 });
}

/** The image that is loaded without -i is the demo's. */
export async function linkDefaultImage(layout: SiteLayout, ndzPath: string): Promise<void> {
  const link = join(layout.imagesFolder, 'default.ndz');
  await rm(link, { force: true });
  await symlink(basename(ndzPath), link);
}

function configText(
  layout: SiteLayout,
  { slot, names, localControlIp, multicastLoop, bandwidthMibps, verify }: SiteSettings,
  scope: string,
): string {
  const ports = slot
    ? [
        `cmc_port = ${slot.cmc}`,
        `telnet_port = ${slot.telnet}`,
        `ssh_port = ${slot.ssh}`,
        `pattern_multicast = ${slot.groupPrefix}.*`,
        `pattern_port = ${slot.frisbeeBase} + *`,
        `pattern_size = ${FRISBEE_PORTS}`,
      ]
    : [];
  return `# an emulated testbed: written anew at each start
[testbed]
regularname = ${names.regularName}
rebootname = ${names.rebootName}
inventory_path = "${layout.inventoryPath}"
all_scope = ${scope}

[nodes]
idle_after_reset = 2
status_default_timeout = 5
load_default_timeout = 120
save_default_timeout = 120
wait_default_timeout = 60
timeout_before_telnet = 20
timeout_before_ssh = 30
retry_pause = 0.3
stall_timeout = 10

[pxelinux]
config_dir = "${layout.pxeFolder}"
frisbee_image = ${RAMDISK_CONFIG}

[frisbee]
images_dir = "${layout.imagesFolder}"
default_image = default.ndz
mount_point = ${MOUNT_POINT}
${verify === null ? '' : `# --frisbee scripted: the nodes only say that they write\nverify = ${verify}\n`}
[networking]
${ports.join('\n')}
telnet_backoff = 0.1
ssh_backoff = 0.2
ping_command = "/bin/sh '${layout.pingPath}' {ip}"
bandwidth = ${bandwidthMibps}
local_control_ip = ${localControlIp}
multicast_loop = ${multicastLoop ? 'yes' : 'no'}

[runs]
dir = "${layout.runsFolder}"
`;
}

function inventoryText(nodes: readonly NodeAddresses[]): string {
  const entries = nodes.map((node) => ({
    cmc: { hostname: node.cmcName, ip: node.cmcIp, mac: node.cmcMac },
    control: { hostname: node.name, ip: node.controlIp, mac: node.controlMac },
  }));
  return `${JSON.stringify(entries, null, 1)}\n`;
}

/** 127/8 always answers a real ping; this one asks whether the emulated node at the address has a system running. */
function pingText(upFolder: string): string {
  return `#!/bin/sh\n[ -e '${upFolder}'/"$1" ]\n`;
}
