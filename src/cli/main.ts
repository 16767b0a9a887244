import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import { Interrupted } from '../engine/interrupted.js';
import { Failure, messageOf, UserError } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { say, sayText } from '../util/say.js';
import { surroundingsError } from '../util/surroundings.js';
import type { Command, CommandContext } from './kit/command.js';
import { commands } from './table.js';
import { listenForSignals } from './kit/ending.js';
import { exitCodeOfError, exitCodes } from './kit/exit.js';
import { watchStandardStreams, type Loss } from './kit/standard-streams.js';
import { version } from '../app/version.js';

/** Runs the program: picks the command by the name it was called by or by its first argument, and ends the process. */
export async function main(argv: string[]): Promise<void> {
  const ending = listenForSignals();
  const losses = watchStandardStreams();
  const context: CommandContext = {
    host: systemHost,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: ending.signal,
    argv: [],
    commands,
    losses,
    softly: ending.softly,
  };
  let defect: number | null = null;
  process.on('uncaughtException', (error) => {
    // what can be undone is undone, whatever else goes wrong meanwhile
    const code = (defect = report(error));
    ending.abort(new Interrupted('a defect', code));
    setTimeout(() => process.exit(code), DEFECT_PATIENCE_MS).unref();
  });
  let code: number;
  let cause: unknown = null;
  try {
    code = await dispatch(argv, context);
  } catch (error) {
    code = report((cause = error));
  }
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  await new Promise((resolve) => setImmediate(resolve)); // what could not be written is told a moment later
  const { output } = losses;
  if (output && !output.told && !isBecauseOf(cause, output)) {
    say(process.stderr, `imaging: cannot write to ${output.stream}: ${output.error.message}`);
    await flush(process.stderr);
  }
  process.exit(defect ?? (code === exitCodes.ok && output ? exitCodes.environment : code));
}

/** Whether an error tells of an output that was lost. */
function isBecauseOf(error: unknown, loss: Loss): boolean {
  for (let each = error; each instanceof Error; each = each.cause) if (each === loss.error) return true;
  return false;
}

/** `imaging-load`, `load-image` and `imaging load` all mean the command `load`. */
export function findCommand(calledBy: string, words: readonly string[]): { command: Command | undefined; rest: string[] } {
  const byName = (name: string | undefined): Command | undefined =>
    commands.find((command) => name === `imaging-${command.name}` || command.aliases?.includes(name ?? ''));
  const called = byName(calledBy);
  if (called) return { command: called, rest: [...words] };
  const first = words[0];
  return { command: commands.find((command) => command.name === first) ?? byName(first), rest: words.slice(1) };
}

async function dispatch(argv: string[], context: CommandContext): Promise<number> {
  const { command, rest } = findCommand(basename(argv[1] ?? ''), argv.slice(2));
  if (command) return runCommand(command, rest, { ...context, argv: [command.name, ...rest] });
  const first = argv[2];
  if (first === '--version' || first === 'version') {
    say(context.stdout, `${version()}`);
    return exitCodes.ok;
  }
  if (first === '--help' || first === '-h' || first === 'help') {
    const about = commands.find((candidate) => candidate.name === argv[3]);
    if (about) return runCommand(about, ['--help'], context);
    sayText(context.stdout, overview());
    return exitCodes.ok;
  }
  if (first === undefined) sayText(context.stderr, overview());
  throw new UserError('usage', first === undefined ? 'no command given' : `unknown command ${JSON.stringify(first)}`, 'see imaging --help');
}

async function runCommand(command: Command, argv: string[], context: CommandContext): Promise<number> {
  // standard input is opened by who reads it: opening it would keep others from it
  if (command.kind === 'program')
    return (await command.load()).run(argv, {
      ...context,
      get stdin() {
        return process.stdin;
      },
    });
  context.host.cwd(); // the parser asks for it, and has no words for a folder that is gone
  const { parseArguments } = await import('./kit/parse.js');
  const parsed = await parseArguments(command, argv);
  if ('help' in parsed) {
    sayText(context.stdout, `${parsed.help}\n`);
    return exitCodes.ok;
  }
  if (command.kind === 'plain') return (await command.load()).run(parsed.args, context);
  const { runNodeCommand } = await import('./nodes/run-node-command.js');
  return runNodeCommand(command, parsed.args, context);
}

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  imaging-${command.name.padEnd(width)}  ${command.summary}`);
  return `imaging ${version()}: operating-system images onto machines and back\n\n${lines.join('\n')}\n\nEach is also 'imaging ${'<name>'}'; each has --help.\n`;
}

/** Time for undoing after a defect, milliseconds. */
const DEFECT_PATIENCE_MS = 15_000;

function report(thrown: unknown): number {
  const error = surroundingsError(thrown) ?? thrown;
  const code = exitCodeOfError(error);
  if (code === exitCodes.bug) {
    say(process.stderr, `imaging ${version()}, Node ${process.version}: this is a defect of imaging itself`, ...stackOf(error));
  } else {
    const hint = error instanceof UserError || error instanceof Failure ? error.hint : undefined;
    const [first = '', ...more] = error instanceof UserError ? error.lines : [messageOf(error)];
    say(process.stderr, `imaging: ${first}`, ...more, ...(hint ? [`  ${hint}`] : []));
  }
  return code;
}

/** What was thrown on one line, and where, a line for each call. */
function stackOf(error: unknown): string[] {
  if (!(error instanceof Error) || !error.stack) return [messageOf(error)];
  const { name, message, stack } = error;
  const calls = stack
    .slice(Math.max(0, stack.indexOf(message)) + message.length)
    .split('\n')
    .slice(1);
  return [`${name}: ${message}`, ...calls];
}

function flush(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.errored || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
