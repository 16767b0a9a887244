import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import type { InventoryNode } from '../../inventory/inventory.js';
import { createPowerClient, type PowerVerb } from '../../power/client.js';
import { createLinks, holderPhrase } from '../../pxe/links.js';
import { bootRecords } from '../../runs/boots.js';
import type { Host } from '../../util/host.js';
import { printable } from '../../util/text.js';
import type { Permit } from '../../workflows/steps/may-act.js';
import { powerWork } from '../../workflows/node-steps.js';
import { executePower } from '../../workflows/power.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { adviseOnLeases, requirePermit } from '../../app/leases.js';
import { sweepLeftovers } from '../../app/sweep.js';
import { foldingOf, openSite, runSettings, selectedNodes, type Site } from '../../app/site.js';
import type { onSpec, statusSpec } from './power.spec.js';
import { fail as pxeFail } from '../../pxe/failures.js';

/** The verbs that change something on a node: they need a lease. The others are answered to everybody. */
const CHANGING: ReadonlySet<PowerVerb> = new Set(['on', 'off', 'reset', 'usrpon', 'usrpoff']);

/** The verbs that would spoil what a run is doing on a node. */
const BOOTING: ReadonlySet<PowerVerb> = new Set(['on', 'off', 'reset']);

/** Refuses nodes that a run has in its hands; `permit` is asked first. */
function notHeld(permit: Permit | null, nodes: readonly InventoryNode[], site: Site, host: Host): Permit {
  const { configDir, frisbeeImage } = site.config.pxelinux;
  const links = createLinks({ configDir, target: frisbeeImage, host });
  const macOf = new Map(nodes.map((node) => [node.name, node.control.mac]));
  return async (node, signal) => {
    await permit?.(node, signal);
    const holder = await links.holder(macOf.get(node) ?? '');
    if (holder)
      throw pxeFail(
        'node-busy',
        `${node} is in the hands of ${holderPhrase(holder)}`,
        'wait for that run to end; --force does it all the same',
      );
  };
}

/** What every verb takes, and what only those take that change something. */
type PowerOptions = ArgumentsOf<typeof statusSpec>['options'] &
  Partial<Pick<ArgumentsOf<typeof onSpec>['options'], 'force' | 'forceLease'>>;
type PowerArguments = { words: readonly string[]; options: PowerOptions };

/** The command that sends one verb to the nodes' CMC cards. */
export function power(verb: PowerVerb) {
  return { plan: (args: PowerArguments, context: CommandContext) => planPower(verb, args, context) };
}

async function planPower(verb: PowerVerb, { words, options }: PowerArguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const nodes = selectedNodes({ words, allNodes: options.allNodes }, site, context.host);
  const timeoutMs = options.timeout === undefined ? site.config.nodes.statusTimeoutMs : options.timeout * 1000;
  const names = nodes.map((node) => node.name);
  const permit = CHANGING.has(verb) ? await requirePermit(names, options.forceLease ?? false, site, context) : null;
  const cmcOf = new Map(nodes.map((node) => [node.name, node.cmc.hostname]));
  return {
    work: powerWork(CHANGING.has(verb)),
    nodes: names,
    details: { verb, timeoutMs },
    warnings: [...site.warnings, ...(permit?.warnings ?? [])],
    dryRun: false,
    keepsLogs: verb === 'on' || verb === 'off' || verb === 'reset',
    ...runSettings(site),
    result: 'lines',
    progress: 'quiet',
    patienceMs: 250,
    fold: foldingOf(site),
    execute: async (tools) => {
      if (verb === 'on' || verb === 'reset') await sweepLeftovers(site, tools);
      const power = createPowerClient({ port: site.config.networking.cmcPort, requestTimeoutMs: timeoutMs });
      tools.undo.push('closing the connections to the CMC cards', () => power.close());
      const boots = bootRecords(site.stateDir, [SYSTEM_RUNS_DIR], tools.host);
      permit?.attach(tools);
      const mayTouch =
        BOOTING.has(verb) && !options.force ? notHeld(permit?.check ?? null, nodes, site, tools.host) : (permit?.check ?? null);
      const advice = permit ? null : adviseOnLeases(site, names, tools);
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
