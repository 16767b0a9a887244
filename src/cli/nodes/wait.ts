import type { Outcome } from '../../events/outcome.js';
import type { AnsweringSystem, UpResult } from '../../events/results.js';
import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import { bootRecords } from '../../runs/boots.js';
import { defaultAuth } from '../../ssh/keys.js';
import { fanOut } from '../../engine/fan-out.js';
import { waitWork, type NodeRun } from '../../workflows/node-steps.js';
import { waitForSsh, waitForTelnet } from '../../workflows/wait.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { sweepLeftovers } from '../../app/sweep.js';
import { foldingOf, openSite, runSettings, selectedNodes } from '../../app/site.js';
import type { waitSpec } from './wait.spec.js';

/** Whether a node's outcome says only that the run was ended from outside. */
function isCutShort(outcome: Outcome<unknown>): boolean {
  return !outcome.ok && outcome.failure.code === 'interrupted';
}

export async function plan({ words, options }: ArgumentsOf<typeof waitSpec>, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const nodes = selectedNodes({ words, allNodes: options.allNodes }, site, context.host);
  const { networking } = site.config;
  const timeoutMs = options.timeout === undefined ? site.config.nodes.waitTimeoutMs : options.timeout * 1000;
  const byTelnet = options.telnet;
  const probe = byTelnet ? 'telnet' : 'ssh';
  const usualMs = byTelnet ? networking.telnetBackoffMs : networking.sshBackoffMs;
  const backoffMs = options.backoff === undefined ? usualMs : options.backoff * 1000;
  const username = options.user ?? 'root';
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
    result: options.silent ? 'silent' : 'lines',
    progress: options.silent ? 'quiet' : 'auto',
    patienceMs: Infinity,
    fold: foldingOf(site),
    execute: async (tools) => {
      const auth = byTelnet ? null : await defaultAuth(context.host.home(), context.host.env);
      await sweepLeftovers(site, tools);
      const boots = bootRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host);
      const lastBoot = (name: string): Promise<number | null> => boots.last(name);
      const settings = {
        concurrency: nodes.length,
        targetDeadlineMs: timeoutMs,
        firstStep: probe,
        result: (system: AnsweringSystem): UpResult => ({ type: 'up', ...system }),
        ...tools,
      } as const;
      return fanOut(nodes, settings, (node: NodeRun) =>
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
