import type { Readable, Writable } from 'node:stream';
import type { AppContext } from '../../app/context.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import type { ExitTexts } from './exit-texts.js';
import type { Arguments, OptionSpecs, OptionsOf, WordKind } from './option-spec.js';
import type { Losses } from './standard-streams.js';

/** What a command may touch of the world around it. */
export type CommandContext = AppContext & {
  stdout: Writable;
  stderr: NodeJS.WriteStream;
  /** What could not be written to the standard outputs. */
  losses?: Losses;
  /** Every command there is. */
  commands: readonly Command[];
};

/** A command as data: what help, parser, completions and manual pages need of it. Cheap to import, unlike the command itself. */
export type CommandSpec<S extends OptionSpecs = OptionSpecs> = {
  name: string;
  /** Names it can be called by besides `imaging-<name>` and `imaging <name>`. */
  aliases?: readonly string[];
  summary: string;
  /** What follows the options: `[node ...]`. */
  words: string;
  options: S;
  examples: readonly (readonly [command: string, meaning: string])[];
  /** What its words may be, for completions: any of these kinds or words; or by the action that comes first. Default: nodes, for a command on nodes; else nothing. */
  completes?: readonly WordKind[] | { words: readonly string[] } | { actions: Readonly<Record<string, readonly WordKind[]>> };
  /** What its exit codes mean; else it only looks, and changes nothing. */
  exits?: ExitTexts;
  /** What follows `--` is a command to run. */
  takesCommand?: boolean;
};

/** Keeps the names and the literals of a spec in its type, from which `ArgumentsOf` makes what the command gets. */
export function commandSpec<const S extends OptionSpecs>(spec: CommandSpec<S>): CommandSpec<S> {
  return spec;
}

/** A command that works on nodes returns a workflow, and everything around it (selection, monitor, table, exit code) is shared. */
type NodeCommandModule<A> = { plan: (args: A, context: CommandContext) => Promise<NodeWorkflow> };

/** Any other command does its own work and returns its exit code. */
type PlainCommandModule<A> = { run: (args: A, context: CommandContext) => Promise<number> };

/** A drop-in replacement of another program: it gets its arguments untouched. */
export type ProgramModule = { run(argv: string[], context: CommandContext & { readonly stdin: Readable }): Promise<number> };

/** A command of the table: its spec, and how the rest is loaded when it runs. */
export type Command = CommandSpec &
  (
    | { kind: 'nodes'; load: () => Promise<NodeCommandModule<Arguments>> }
    | { kind: 'plain'; load: () => Promise<PlainCommandModule<Arguments>> }
    | { kind: 'program'; load: () => Promise<ProgramModule> }
  );

export type NodeCommand = Extract<Command, { kind: 'nodes' }>;

/** A command on nodes; that it takes the options of its own spec is checked here. */
export function onNodes<S extends OptionSpecs>(
  spec: CommandSpec<S>,
  load: () => Promise<NodeCommandModule<Arguments<OptionsOf<S>>>>,
): NodeCommand {
  // as: the parser makes the options from this very spec
  return { kind: 'nodes', ...spec, load: load as NodeCommand['load'] };
}

/** Any other command of ours, checked likewise. */
export function plain<S extends OptionSpecs>(
  spec: CommandSpec<S>,
  load: () => Promise<PlainCommandModule<Arguments<OptionsOf<S>>>>,
): Command {
  // as: the parser makes the options from this very spec
  return { kind: 'plain', ...spec, load: load as Extract<Command, { kind: 'plain' }>['load'] };
}

/** A program that stands in for another one. */
export function program(spec: CommandSpec, load: () => Promise<ProgramModule>): Command {
  return { kind: 'program', ...spec, load };
}
