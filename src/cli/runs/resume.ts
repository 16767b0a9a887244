import type { SpawnOptions } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { counted, noun } from '../../monitor/nouns.js';
import { foldNames } from '../../nodes/names.js';
import { changedInputs, PLAN_VARIABLES, stampInputs } from '../../runs/plan-file.js';
import { continuationsOf, findRun, targetsByOutcome, type StoredRun } from '../../runs/store.js';
import { messageOf, UserError } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import { say } from '../../util/say.js';
import type { CommandContext, NodeCommand } from '../kit/command.js';
import { camelCase, type Arguments } from '../kit/option-spec.js';
import { backgroundRun } from '../../app/detach.js';
import { exitCodes } from '../kit/exit.js';
import { runsAction } from './action.js';

/** How a run shows itself, and where: said anew each time, not taken from the run that is resumed. */
const OWN_OPTIONS = ['progress', 'curses', 'verbose', 'detach', 'include-quarantined'] as const;

/** Does a run again, in its folder and environment, for the nodes that it did not get done. */
export const resume = runsAction({
  words: '[RUN]',
  minWords: 0,
  maxWords: 1,
  options: [...OWN_OPTIONS, 'force', 'dry-run'],
  run: async (args, context, { dir }) => {
    const run = findRun(dir, args.words[0] ?? 'last');
    if (!run.believed) throw notOurs(run, context);
    const all = [run, ...continuationsOf(dir, run.run)];
    const busy = all.find(({ standing }) => standing === 'running');
    if (busy)
      throw new UserError(
        'refused',
        `run ${busy.run}${busy === run ? '' : `, resumed from ${run.run},`} is still at work (pid ${busy.plan.process?.pid ?? '?'})`,
        `follow it with: imaging-runs attach ${busy.run}`,
      );
    const done = new Set(all.flatMap((each) => targetsByOutcome(each).ok));
    const left = run.plan.targets.filter((target) => !done.has(target));
    if (left.length === 0) {
      const by = all.slice(1).map((each) => each.run);
      const { kind, targets } = run.plan;
      const [which, are] = targets.length === 1 ? [`the ${kind}`, 'is'] : [`all ${counted(kind, targets.length)}`, 'are'];
      say(context.stdout, `nothing is left: ${which} of run ${run.run} ${are} done${by.length > 0 ? `, with ${by.join(', ')}` : ''}`);
      return exitCodes.ok;
    }
    if (args.options.dryRun) return tellPlan(run, left, context);
    const there = inPlaceOf(run, context);
    if (backgroundRun(context.host) === null)
      say(
        context.stderr,
        `resuming run ${run.run}: imaging-${run.plan.command} for ${left.length} of ${counted(run.plan.kind, run.plan.targets.length)}, ${foldNames(left)}`,
      );
    const command = commandOf(run, context);
    const { runNodeCommand } = await import('../nodes/run-node-command.js'); // as main does it
    return runNodeCommand(command, await argumentsOf(command, run, left, args.options), there, {
      from: run,
      force: args.options.force,
    });
  },
});

/** A run is done again with our rights, in the folder and by the configuration that its record names. */
function notOurs({ run, uid, plan }: StoredRun, { host }: CommandContext): UserError {
  const why = uid === host.uid() || uid === 0 ? 'others may have written its record' : `it is ${plan.login}'s`;
  return new UserError(
    'refused',
    `run ${run} cannot be resumed: ${why}`,
    `${plan.login} can resume it; or load the nodes it did not get done: @failed:${run}`,
  );
}

function tellPlan({ run, plan }: StoredRun, left: readonly string[], context: CommandContext): number {
  const lines = [
    `would resume run ${run}, and has touched nothing:`,
    `  command  imaging-${plan.command} ${plan.argv.join(' ')}`,
    `  folder   ${plan.cwd}`,
    ...Object.entries(plan.env).map(([name, value]) => `  ${name}=${value}`),
    `  ${noun(plan.kind, 2).padEnd(8)} ${foldNames(left)} (${left.length} of ${plan.targets.length})`,
    ...changedInputs(plan.inputs, stampInputs(plan.inputs.map(({ path }) => path))).map((what) => `  changed  ${what}: needs --force`),
  ];
  say(context.stdout, ...lines);
  return exitCodes.ok;
}

function commandOf({ run, plan }: StoredRun, { commands }: CommandContext): NodeCommand {
  const command = commands.find((each) => each.name === plan.command);
  if (command?.kind === 'nodes') return command;
  throw new UserError(
    'environment',
    `run ${run} is of imaging-${plan.command}, which this version does not have`,
    `it was made by imaging ${plan.version}`,
  );
}

/** The recorded options with the nodes that are left, and the presentation that is asked for now. */
async function argumentsOf(
  command: NodeCommand,
  { run, plan }: StoredRun,
  left: readonly string[],
  asked: Arguments['options'],
): Promise<Arguments> {
  const { parseArguments } = await import('../kit/parse.js');
  const parsed = await parseArguments(command, plan.argv);
  if ('help' in parsed) throw new UserError('environment', `run ${run} has no command that can be done again`);
  const own = OWN_OPTIONS.filter((name) => name in command.options).map((name) => [camelCase(name), asked[camelCase(name)]]);
  return { ...parsed.args, words: left, options: { ...parsed.args.options, allNodes: false, ...Object.fromEntries(own) } };
}

/** The surroundings of the run that is resumed: its folder and the variables it depends on. */
function inPlaceOf({ run, plan }: StoredRun, context: CommandContext): CommandContext {
  const { host } = context;
  try {
    if (!statSync(plan.cwd).isDirectory()) throw new Error('it is no folder');
    accessSync(plan.cwd, constants.X_OK);
  } catch (cause) {
    throw new UserError(
      'environment',
      `run ${run} was started in ${plan.cwd}, and that folder cannot be entered: ${messageOf(cause)}`,
      'make it again, or start a new run',
      { cause },
    );
  }
  const variables = Object.fromEntries(PLAN_VARIABLES.map((name) => [name, plan.env[name]]));
  const spawn = ((program: string, args: readonly string[], options: SpawnOptions) =>
    host.spawn(program, args, { cwd: plan.cwd, ...options })) as Host['spawn']; // as: of its forms, the one that we use
  return { ...context, host: { ...host, cwd: () => plan.cwd, env: { ...host.env, ...variables }, spawn } };
}
