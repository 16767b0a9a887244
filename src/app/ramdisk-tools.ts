import { access, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import type { Config } from '../config/config.js';
import { SYSTEM_RUNS_DIR } from '../config/runs-dir.js';
import { createPowerClient } from '../power/client.js';
import { checkTarget } from '../pxe/check-folder.js';
import { BEAT_MS, createLinks } from '../pxe/links.js';
import { bootRecords, type BootRecords } from '../runs/node-records.js';
import { childRecords, type ChildRecords } from '../runs/children.js';
import { createPinger } from '../workflows/steps/ping.js';
import type { RamdiskPlan, RamdiskTools } from '../workflows/steps/ramdisk.js';
import { createWindow, type WindowSize } from '../engine/window.js';
import type { WorkflowTools } from './node-workflow.js';
import type { RunPermit } from './leases.js';
import type { Site } from './site.js';
import { sweepLeftovers } from './sweep.js';
import { UserError } from '../util/errors.js';

/** How a run takes nodes and resets them. */
export type Taking = {
  /** How long it waits for nodes that another run holds. */
  waitLockMs: number;
  /** Null: as the configuration says. */
  window: { nodes: number; perMs: number } | null;
};

export function ramdiskPlan(reset: boolean, { config }: Site): RamdiskPlan {
  return {
    reset,
    bootDeadlineMs: config.nodes.timeoutBeforeTelnetMs,
    graceMs: config.nodes.idleAfterResetMs,
    telnetBackoffMs: config.networking.telnetBackoffMs,
    telnetPort: config.networking.telnetPort,
    hardDrive: config.frisbee.hardDrive,
  };
}

/** What load and save need to get nodes into the PXE system, from the configuration. Sweeps first what a killed run left. */
export async function ramdiskTools(
  taking: Taking,
  site: Site,
  permit: RunPermit,
  tools: WorkflowTools,
): Promise<RamdiskTools & { boots: BootRecords; children: ChildRecords }> {
  const { config, stateDir } = site;
  const { host } = tools;
  permit.attach(tools);
  const { networking, pxelinux } = config;
  const power = createPowerClient({ port: networking.cmcPort, requestTimeoutMs: config.nodes.statusTimeoutMs });
  tools.undo.push('closing the connections to the CMC cards', () => power.close());
  const pinger =
    networking.pingCommand === null
      ? null
      : createPinger(networking.pingCommand, host, (text) => tools.emit({ type: 'run.warning', text }));
  tools.undo.push('ending the ping probe', () => pinger?.close());
  await sweepLeftovers(site, tools);
  const links = createLinks({ configDir: pxelinux.configDir, target: pxelinux.frisbeeImage, host, run: tools.run });
  const beat = setInterval(() => void links.beat(), BEAT_MS).unref();
  tools.undo.push('ending the sign of life', () => clearInterval(beat));
  const boots = bootRecords(stateDir, [SYSTEM_RUNS_DIR], host);
  return {
    ...tools,
    links,
    permit: permit.check,
    waitLockMs: taking.waitLockMs,
    window: createWindow(windowOf(taking.window ?? config.nodes.bootWindow), host.monotonicMs),
    boots,
    children: childRecords(stateDir, host),
    reset: {
      power,
      undo: tools.undo,
      stillOurs: (node) => links.check(node.control.mac, node.name),
      recordEnd: (node, verb, atMs) => boots.record(node, verb, atMs),
    },
    liveness: { telnetPort: networking.telnetPort, sshPort: networking.sshPort, pinger, probeTimeoutMs: 1_000 },
  };
}

/** Refuses when next-boot links cannot be made, or would lead nowhere: nodes would be reset in vain. */
export async function checkPxe({ configDir, frisbeeImage }: Config['pxelinux']): Promise<void> {
  const found = await stat(configDir).catch(() => null);
  if (!found?.isDirectory())
    throw new UserError(
      'environment',
      `pxelinux.config_dir: there is no folder ${configDir}`,
      'set config_dir in section [pxelinux] to the pxelinux.cfg folder of the TFTP server',
    );
  await access(configDir, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new UserError(
      'refused',
      `you may not write in ${configDir}, where next-boot links go`,
      'ask for write access there, or use -n on nodes that run the PXE system already',
      { cause },
    );
  });
  const missing = await checkTarget(configDir, frisbeeImage);
  if (missing !== null)
    throw new UserError('environment', missing, 'install the PXE system there, or set frisbee_image in section [pxelinux]');
}

/** So many resets in so many milliseconds. */
function windowOf(size: Taking['window']): WindowSize | null {
  return size === null ? null : { turns: size.nodes, perMs: size.perMs };
}
