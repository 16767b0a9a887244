import { PLAN_SCHEMA, PLAN_VARIABLES, stampInputs, type RunPlan } from '../runs/plan-file.js';
import type { StoredRun } from '../runs/store.js';
import { processIdentity } from '../util/host.js';
import type { AppContext } from './context.js';
import type { NodeWorkflow } from './node-workflow.js';

/** What is to be known of a run before it begins; `from` is the run that it resumes, `detached` that it goes on in the background. */
export type RunToBe = { run: string; command: string; workflow: NodeWorkflow; version: string; from: StoredRun | null; detached: boolean };

/** The plan as it is kept. */
export function planRecord(
  { run, command, workflow, version, from, detached }: RunToBe,
  { host, argv }: Pick<AppContext, 'host' | 'argv'>,
): RunPlan {
  const env = PLAN_VARIABLES.flatMap((name) => (host.env[name] === undefined ? [] : [[name, host.env[name]] as const]));
  return {
    schema: PLAN_SCHEMA,
    run,
    command,
    argv: [...(from?.plan.argv ?? argv.slice(1))],
    cwd: host.cwd(),
    env: Object.fromEntries(env),
    kind: workflow.work.kind,
    targets: allNodes(workflow),
    details: workflow.details,
    inputs: stampInputs(workflow.inputs ?? []),
    login: host.login(),
    host: host.shortHostname(),
    process: processIdentity(host.pid),
    version,
    startedAt: host.now(),
    continues: from?.run ?? null,
    detached,
  };
}

/** The nodes of the selection, those that are left alone included. */
export function allNodes({ nodes, skipped }: NodeWorkflow): string[] {
  return [...nodes, ...skipped.map(({ node }) => node)];
}
