import { SYSTEM_RUNS_DIR } from '../../config/runs-dir.js';
import type { Outcome } from '../../events/outcome.js';
import type { WhichAnswer, WhichLine } from '../../events/results.js';
import { bootRecords } from '../../runs/boots.js';
import { imageRecords } from '../../runs/images.js';
import { defaultAuth } from '../../ssh/keys.js';
import { jsonText } from '../../util/json.js';
import { answerText } from '../../monitor/result-text.js';
import { whichWork } from '../../workflows/node-steps.js';
import { executeWhich } from '../../workflows/which.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import { foldingOf, openSite, runSettings, selectedNodes } from '../../app/site.js';
import type { whichSpec } from './which.spec.js';

/** Tells which image each node runs; changes nothing. */
export async function plan({ words, options }: ArgumentsOf<typeof whichSpec>, context: CommandContext): Promise<NodeWorkflow> {
  const site = await openSite(context);
  const nodes = selectedNodes({ words, allNodes: options.allNodes }, site, context.host);
  const timeoutMs = options.timeout === undefined ? site.config.nodes.statusTimeoutMs : options.timeout * 1000;
  const username = options.user ?? 'root';
  const linesOf = options.json ? jsonLine : textLine;
  return {
    work: whichWork,
    nodes: nodes.map((node) => node.name),
    details: { username, timeoutMs },
    warnings: site.warnings,
    dryRun: false,
    keepsLogs: false,
    ...runSettings(site),
    result: 'lines',
    progress: 'quiet',
    patienceMs: Infinity,
    fold: foldingOf(site),
    execute: async (tools) => {
      const auth = await defaultAuth(context.host.home(), context.host.env);
      const boots = bootRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host);
      const images = imageRecords(site.stateDir, [SYSTEM_RUNS_DIR], context.host);
      return executeWhich({ nodes, timeoutMs, port: site.config.networking.sshPort, username, auth }, { ...tools, boots, images });
    },
    resultLines: (outcome) => [linesOf(outcome)],
  };
}

/** `fit07:fedora-21 (...)`, or `fit07:unknown (why)`. */
function textLine(outcome: Outcome<unknown>): string {
  return `${outcome.target}:${outcome.ok && isAnswer(outcome.value) ? answerText(outcome.value) : `unknown (${whyOf(outcome)})`}`;
}

function jsonLine(outcome: Outcome<unknown>): string {
  if (outcome.ok && isAnswer(outcome.value)) return jsonText({ node: outcome.target, ...outcome.value } satisfies WhichLine);
  return jsonText({
    node: outcome.target,
    image: null,
    source: null,
    saved: null,
    load: null,
    cleanSince: null,
    why: whyOf(outcome),
  } satisfies WhichLine);
}

function whyOf(outcome: Outcome<unknown>): string {
  return outcome.ok ? '' : outcome.failure.message;
}

function isAnswer(value: unknown): value is WhichAnswer {
  return typeof value === 'object' && value !== null && 'image' in value && 'source' in value;
}
