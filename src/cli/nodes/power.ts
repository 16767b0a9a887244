import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { POWER_VERBS } from '../../power/answer.js';
import { createPowerClient, type PowerVerb } from '../../power/client.js';
import { createLinks, holderPhrase } from '../../pxe/links.js';
import { bootRecords } from '../../runs/boots.js';
import { Failure } from '../../util/errors.js';
import { printable } from '../../util/text.js';
import type { Permit } from '../../workflows/steps/may-act.js';
import { powerWork } from '../../workflows/node-steps.js';
import { executePower } from '../../workflows/power.js';
import type { Arguments, CommandContext, NodeCommandModule } from '../kit/command.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { flag, positive } from '../kit/options.js';
import { adviseOnLeases, requirePermit } from '../../app/leases.js';
import { sweepLeftovers } from '../../app/sweep.js';
import { folder, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';

/** The verbs that change something on a node: they need a lease. The others are answered to everybody. */
const CHANGING: ReadonlySet<PowerVerb> = new Set(['on', 'off', 'reset', 'usrpon', 'usrpoff']);

/** The verbs that would spoil what a run is doing on a node. */
const BOOTING: ReadonlySet<PowerVerb> = new Set(['on', 'off', 'reset']);

/** Refuses nodes that a run has in its hands; `permit` is asked first. */
function notHeld(permit: Permit | null, nodes: readonly InventoryNode[], site: Site, context: CommandContext): Permit {
  const { configDir, frisbeeImage } = site.config.pxelinux;
  const links = createLinks({ configDir, target: frisbeeImage, host: context.host });
  const macOf = new Map(nodes.map((node) => [node.name, node.control.mac]));
  return async (node, signal) => {
    await permit?.(node, signal);
    const holder = await links.holder(macOf.get(node) ?? '');
    if (holder)
      throw new Failure(
        'node-busy',
        `${node} is in the hands of ${holderPhrase(holder)}`,
        'wait for that run to end; --force does it all the same',
      );
  };
}

/** The command that sends one verb to the nodes' CMC cards. */
export function powerModule(name: string): NodeCommandModule {
  const verb = POWER_VERBS.find((candidate) => candidate === name);
  if (!verb) throw new Error(`no such verb: ${name}`);
  return { plan: (args, context) => planPower(verb, args, context) };
}

async function planPower(verb: PowerVerb, args: Arguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const nodes = selectedNodes(args, site, context);
  const timeoutMs = (positive(args.options, 'timeout') ?? site.config.nodes.statusTimeoutMs / 1000) * 1000;
  const names = nodes.map((node) => node.name);
  const permit = CHANGING.has(verb) ? await requirePermit(args, site, context, names) : null;
  const cmcOf = new Map(nodes.map((node) => [node.name, node.cmc.hostname]));
  return {
    work: powerWork(CHANGING.has(verb)),
    nodes: names,
    details: { verb, timeoutMs },
    warnings: site.warnings,
    dryRun: false,
    keepsLogs: verb === 'on' || verb === 'off' || verb === 'reset',
    ...runSettings(site),
    result: 'lines',
    progress: 'quiet',
    patienceMs: 250,
    fold: folder(site),
    execute: async (tools) => {
      if (verb === 'on' || verb === 'reset') await sweepLeftovers(site, context, tools);
      const power = createPowerClient({ port: site.config.networking.cmcPort, requestTimeoutMs: timeoutMs });
      tools.undo.push('closing the connections to the CMC cards', () => power.close());
      const boots = bootRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host);
      permit?.attach(tools);
      const mayTouch =
        BOOTING.has(verb) && !flag(args.options, 'force') ? notHeld(permit?.check ?? null, nodes, site, context) : (permit?.check ?? null);
      const advice = permit ? null : adviseOnLeases(site, context, names, tools);
      const powerTools = {
        ...tools,
        power,
        permit: mayTouch,
        recordEnd: (node: string, ending: PowerVerb, atMs: number) => boots.record(node, ending, atMs),
      };
      const outcomes = await executePower({ nodes, verb, timeoutMs }, powerTools);
      await advice;
      return outcomes;
    },
    resultLines: (outcome) =>
      resultLines(
        cmcOf.get(outcome.target) ?? outcome.target,
        verb,
        outcome.ok && typeof outcome.value === 'string' ? outcome.value : null,
      ),
  };
}

/** `reboot01:on`, one line for each line of the answer; `reboot01:status N/A` where none came. */
function resultLines(cmc: string, verb: PowerVerb, answer: string | null): string[] {
  if (answer === null) return [`${cmc}:${verb} N/A`];
  const lines = answer.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.map((line) => `${cmc}:${printable(line)}`);
}
