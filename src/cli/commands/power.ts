import { createPowerClient, type PowerAnswer, type PowerVerb } from '../../power/client.js';
import { bootRecords } from '../../runs/boots.js';
import { executePower } from '../../workflows/power.js';
import type { Arguments, CommandContext, NodeCommandModule } from '../command.js';
import type { NodeWorkflow } from '../node-workflow.js';
import { positive } from '../options.js';
import { folder, openSite, selectedNodes } from '../site.js';

const verbs: readonly PowerVerb[] = ['status', 'on', 'off', 'reset', 'info', 'usrpstatus', 'usrpon', 'usrpoff'];

/** The command that sends one verb to the nodes' CMC cards. */
export function powerModule(name: string): NodeCommandModule {
  const verb = verbs.find((candidate) => candidate === name);
  if (!verb) throw new Error(`no such verb: ${name}`);
  return { plan: (args, context) => planPower(verb, args, context) };
}

async function planPower(verb: PowerVerb, args: Arguments, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const nodes = selectedNodes(args, site, context);
  const timeoutMs = (positive(args.options, 'timeout') ?? site.config.nodes.statusTimeoutMs / 1000) * 1000;
  const answers = new Map<string, PowerAnswer>();
  const cmcOf = new Map(nodes.map((node) => [node.name, node.cmc.hostname]));
  return {
    nodes: nodes.map((node) => node.name),
    details: { verb, timeoutMs },
    warnings: site.warnings,
    dryRun: false,
    keepsLogs: false,
    stateDir: site.stateDir,
    result: 'lines',
    progress: 'quiet',
    fold: folder(site),
    execute: async (tools) => {
      const power = createPowerClient({ port: site.config.networking.cmcPort, requestTimeoutMs: timeoutMs });
      tools.undo.push('closing the connections to the CMC cards', () => power.close());
      const boots = bootRecords(site.stateDir, context.host);
      return executePower({ nodes, verb, timeoutMs }, { ...tools, power, recordBoot: (node) => boots.record(node, verb), onAnswer: (node, answer) => void answers.set(node, answer) });
    },
    resultLines: (outcomes) => outcomes.flatMap(({ node }) => resultLines(cmcOf.get(node) ?? node, verb, answers.get(node))),
  };
}

/** `reboot01:on`, one line for each line of the answer; `reboot01:status N/A` where none came. */
function resultLines(cmc: string, verb: PowerVerb, answer: PowerAnswer | undefined): string[] {
  if (!answer) return [`${cmc}:${verb} N/A`];
  const lines = answer.text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.map((line) => `${cmc}:${line}`);
}
