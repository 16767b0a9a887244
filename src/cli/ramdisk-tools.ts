import { createPowerClient } from '../power/client.js';
import { createLinks } from '../pxe/links.js';
import { bootRecords, type BootRecords } from '../runs/boots.js';
import { childRecords, type ChildRecords } from '../runs/children.js';
import { createPinger } from '../workflows/ping.js';
import type { RamdiskPlan, RamdiskTools } from '../workflows/ramdisk.js';
import type { Arguments, CommandContext } from './command.js';
import type { WorkflowTools } from './node-workflow.js';
import { flag } from './options.js';
import type { Site } from './site.js';

export function ramdiskPlan(args: Arguments, { config }: Site): RamdiskPlan {
  return {
    reset: !flag(args.options, 'no-reset'),
    bootDeadlineMs: config.nodes.timeoutBeforeTelnetMs,
    graceMs: config.nodes.idleAfterResetMs,
    telnetBackoffMs: config.networking.telnetBackoffMs,
    telnetPort: config.networking.telnetPort,
  };
}

/** What load and save need to get nodes into the PXE system, from the configuration. Sweeps first what a killed run left. */
export async function ramdiskTools(site: Site, plan: RamdiskPlan, context: CommandContext, tools: WorkflowTools): Promise<RamdiskTools & { boots: BootRecords; children: ChildRecords }> {
  const { config, stateDir } = site;
  const { networking, pxelinux } = config;
  const power = createPowerClient({ port: networking.cmcPort, requestTimeoutMs: config.nodes.statusTimeoutMs });
  tools.undo.push('closing the connections to the CMC cards', () => power.close());
  const pinger = networking.pingCommand === null ? null : createPinger(networking.pingCommand, context.host);
  tools.undo.push('ending the ping probe', () => pinger?.close());
  const links = createLinks({ configDir: pxelinux.configDir, target: pxelinux.frisbeeImage, host: context.host });
  const children = childRecords(stateDir, context.host);
  for (const swept of await links.sweep()) tools.emit({ type: 'run.note', text: `removed ${swept}, left behind by a run that is gone` });
  for (const pid of await children.sweep()) tools.emit({ type: 'run.note', text: `ended frisbeed (pid ${pid}), left behind by a run that is gone` });
  const boots = bootRecords(stateDir, context.host);
  return {
    ...tools,
    links,
    boots,
    children,
    reset: { power, graceMs: plan.graceMs, recordReset: (node, verb) => boots.record(node, verb) },
    liveness: { telnetPort: networking.telnetPort, sshPort: networking.sshPort, pinger, probeTimeoutMs: 1_000 },
  };
}
