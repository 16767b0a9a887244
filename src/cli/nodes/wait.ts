import type { Outcome } from '../../events/outcome.js';
import type { AnsweringSystem, UpResult } from '../../events/results.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import { bootRecords } from '../../runs/boots.js';
import { defaultAuth } from '../../ssh/keys.js';
import { fanOut } from '../../engine/fan-out.js';
import { waitWork, type NodeRun } from '../../workflows/node-steps.js';
import { waitForSsh, waitForTelnet } from '../../workflows/wait.js';
import type { Arguments, CommandContext } from '../kit/command.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { flag, positive, text } from '../kit/options.js';
import { sweepLeftovers } from '../../app/sweep.js';
import { folder, openSite, runSettings, selectedNodes } from '../../app/site.js';

/** Whether a node's outcome says only that the run was ended from outside. */
function isCutShort(outcome: Outcome<unknown>): boolean {
  return !outcome.ok && outcome.failure.code === 'interrupted';
}

export async function plan(args: Arguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const nodes: InventoryNode[] = selectedNodes(args, site, context);
  const { networking } = site.config;
  const timeoutMs = (positive(args.options, 'timeout') ?? site.config.nodes.waitTimeoutMs / 1000) * 1000;
  const byTelnet = flag(args.options, 'telnet');
  const probe = byTelnet ? 'telnet' : 'ssh';
  const backoffMs = (positive(args.options, 'backoff') ?? (byTelnet ? networking.telnetBackoffMs : networking.sshBackoffMs) / 1000) * 1000;
  const username = text(args.options, 'user') ?? 'root';
  const tried = new Set<string>();
  const onTried = (node: string): void => void tried.add(node);
  return {
    work: waitWork,
    nodes: nodes.map((node) => node.name),
    details: { probe, timeoutMs, backoffMs, ...(byTelnet ? {} : { username }) },
    warnings: site.warnings,
    dryRun: false,
    keepsLogs: true,
    ...runSettings(site),
    result: flag(args.options, 'silent') ? 'silent' : 'lines',
    progress: flag(args.options, 'silent') ? 'quiet' : 'auto',
    patienceMs: Infinity,
    fold: folder(site),
    execute: async (tools) => {
      const auth = byTelnet ? null : await defaultAuth(context.host.home(), context.host.env);
      await sweepLeftovers(site, context, tools);
      const boots = bootRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host);
      const lastBoot = (name: string): Promise<number | null> => boots.last(name);
      const options = {
        concurrency: nodes.length,
        targetDeadlineMs: timeoutMs,
        firstStep: probe,
        result: (system: AnsweringSystem): UpResult => ({ type: 'up', ...system }),
        ...tools,
      } as const;
      return fanOut(nodes, options, (node: NodeRun) =>
        node.at(probe, timeoutMs, (signal) =>
          auth === null
            ? waitForTelnet(node, { port: networking.telnetPort, backoffMs, lastBoot, onTried }, signal)
            : waitForSsh(node, { port: networking.sshPort, username, auth, backoffMs, lastBoot, onTried }, signal),
        ),
      );
    },
    // a run that was cut short says nothing of nodes that it had not asked yet
    resultLines: (outcome) =>
      isCutShort(outcome) && !tried.has(outcome.target) ? [] : [`${outcome.target}:${probe} ${outcome.ok ? 'OK' : 'KO'}`],
  };
}
