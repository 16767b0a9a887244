import type { Readable, Writable } from 'node:stream';
import type { Host } from '../../util/host.js';
import type { Ending } from './ending.js';
import type { ExitTexts } from './exit-texts.js';
import type { NodeWorkflow } from '../../app/node-workflow.js';
import type { Losses } from './standard-streams.js';

/** What a word may be, for completions: names that are looked up when they are asked for, sections of the configuration, or what the shell knows itself. */
export type WordKind = 'nodes' | 'images' | 'runs' | 'sections' | 'files' | 'folders';

/** One option of a command, as help, parser, completions and manual pages need it. */
export type OptionSpec = {
  type: 'string' | 'boolean' | 'number';
  alias?: string | readonly string[];
  /** What stands for the value in help: `IMAGE`, `SECONDS`. */
  value?: string;
  choices?: readonly string[];
  /** What its value may be, for completions. */
  completes?: readonly WordKind[];
  describe: string;
  /** May be given several times. */
  multiple?: boolean;
};

/** Parsed options by their long names; absent ones are undefined. */
export type OptionValues = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export type Arguments = { words: string[]; options: OptionValues /** Everything after `--`. */; rest: string[] };

/** What a command may touch of the world around it. */
export type CommandContext = {
  host: Host;
  stdout: Writable;
  stderr: NodeJS.WriteStream;
  /** Aborted with `Interrupted` by SIGINT, SIGTERM and SIGHUP. */
  signal: AbortSignal;
  /** The command's name and what followed it, as typed. */
  argv: readonly string[];
  /** What could not be written to the standard outputs. */
  losses?: Losses;
  /** Lets the command take the first ending signal itself; see `Ending`. */
  softly?: Ending['softly'];
};

/** A command that works on nodes returns a workflow, and everything around it (selection, monitor, table, exit code) is shared. */
export type NodeCommandModule = { plan(args: Arguments, context: CommandContext): Promise<NodeWorkflow> };

/** Any other command does its own work and returns its exit code. */
export type PlainCommandModule = { run(args: Arguments, context: CommandContext): Promise<number> };

/** A drop-in replacement of another program: it gets its arguments untouched. */
export type ProgramModule = { run(argv: string[], context: CommandContext & { readonly stdin: Readable }): Promise<number> };

type Described = {
  name: string;
  /** Names it can be called by besides `imaging-<name>` and `imaging <name>`. */
  aliases?: readonly string[];
  summary: string;
  /** What follows the options: `[node ...]`. */
  words: string;
  options: Readonly<Record<string, OptionSpec>>;
  examples: readonly (readonly [command: string, meaning: string])[];
  /** What its words may be, for completions: any of these kinds or words; or by the action that comes first. Default: nodes, for a command on nodes; else nothing. */
  completes?: readonly WordKind[] | { words: readonly string[] } | { actions: Readonly<Record<string, readonly WordKind[]>> };
  /** What its exit codes mean; else it only looks, and changes nothing. */
  exits?: ExitTexts;
  /** What follows `--` is a command to run. */
  takesCommand?: boolean;
};

export type Command =
  | (Described & { kind: 'nodes'; load: () => Promise<NodeCommandModule> })
  | (Described & { kind: 'plain'; load: () => Promise<PlainCommandModule> })
  | (Described & { kind: 'program'; load: () => Promise<ProgramModule> });
