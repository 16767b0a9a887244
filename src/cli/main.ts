import { setMaxListeners } from 'node:events';
import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import { Interrupted } from '../workflows/interrupted.js';
import { Failure, messageOf, systemCode, UserError } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import type { Command, CommandContext } from './command.js';
import { commands } from './commands.js';
import { endingSignals, exitCodeOfError, exitCodes } from './exit.js';
import { version } from './version.js';

/** Runs the program: picks the command by the name it was called by or by its first argument, and ends the process. */
export async function main(argv: string[]): Promise<void> {
  const ending = listenForSignals();
  const context: CommandContext = { host: systemHost, stdout: process.stdout, stderr: process.stderr, signal: ending.signal, argv: [] };
  const output = watchOutput(ending);
  process.on('uncaughtException', (error) => {
    const code = report(error);
    if (ending.signal.aborted) process.exit(code);
    ending.abort(new Interrupted('a defect', code)); // what can be undone is undone
    setTimeout(() => process.exit(code), DEFECT_PATIENCE_MS).unref();
  });
  let code: number;
  try {
    code = await dispatch(argv, context);
  } catch (error) {
    code = report(error);
  }
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  await new Promise((resolve) => setImmediate(resolve)); // what could not be written is told a moment later
  process.exit(code === exitCodes.ok && output.lost ? exitCodes.environment : code);
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
    context.stdout.write(`${version()}\n`);
    return exitCodes.ok;
  }
  if (first === '--help' || first === '-h' || first === 'help') {
    const about = commands.find((candidate) => candidate.name === argv[3]);
    if (about) return runCommand(about, ['--help'], context);
    context.stdout.write(overview());
    return exitCodes.ok;
  }
  if (first === undefined) context.stderr.write(overview());
  throw new UserError('usage', first === undefined ? 'no command given' : `unknown command ${JSON.stringify(first)}`, 'see imaging --help');
}

async function runCommand(command: Command, argv: string[], context: CommandContext): Promise<number> {
  // standard input is opened by who reads it: opening it would keep others from it
  if (command.kind === 'program') return (await command.load()).run(argv, { ...context, get stdin() { return process.stdin; } });
  const { parseArguments } = await import('./parse.js');
  const parsed = await parseArguments(command, argv);
  if ('help' in parsed) {
    context.stdout.write(`${parsed.help}\n`);
    return exitCodes.ok;
  }
  if (command.kind === 'plain') return (await command.load()).run(parsed.args, context);
  const { runNodeCommand } = await import('./run-node-command.js');
  return runNodeCommand(command, await command.load(), parsed.args, context);
}

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  imaging-${command.name.padEnd(width)}  ${command.summary}`);
  return `imaging ${version()}: operating-system images onto machines and back\n\n${lines.join('\n')}\n\nEach is also 'imaging ${'<name>'}'; each has --help.\n`;
}

/** Time for undoing after a defect, milliseconds. */
const DEFECT_PATIENCE_MS = 15_000;
/** npm and other wrappers pass on a Ctrl-C that the terminal has sent to everybody: this close together they are one. */
const SAME_SIGNAL_MS = 500;

/** First signal: abort, so that everything is undone and reported. Second one: out, at once. */
function listenForSignals(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // every node listens
  let firstMs = 0;
  for (const [name, code] of Object.entries(endingSignals)) {
    process.on(name, () => {
      const nowMs = performance.now();
      if (!controller.signal.aborted) {
        firstMs = nowMs;
        controller.abort(new Interrupted(name, code));
      } else if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(code);
    });
  }
  return controller;
}

/**
 * A reader that goes away (`| head`) or a terminal that is closed must not end a run half-way: what is written then is
 * lost. An output that cannot be written for another reason, such as a full disk, ends it in order.
 */
function watchOutput(ending: AbortController): { lost: boolean } {
  const output = { lost: false };
  for (const [name, stream] of [['standard output', process.stdout], ['standard error', process.stderr]] as const) {
    stream.on('error', (error) => {
      if (['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes(systemCode(error) ?? '') || output.lost) return;
      output.lost = true;
      if (stream !== process.stderr) process.stderr.write(`imaging: cannot write to ${name}: ${error.message}\n`);
      ending.abort(new Interrupted(`${name} that cannot be written`, exitCodes.environment));
    });
  }
  return output;
}

function report(error: unknown): number {
  const code = exitCodeOfError(error);
  if (code === exitCodes.bug) {
    const stack = error instanceof Error && error.stack ? error.stack : messageOf(error);
    process.stderr.write(`imaging ${version()}, Node ${process.version}: this is a defect of imaging itself\n${stack}\n`);
  } else {
    const hint = error instanceof UserError || error instanceof Failure ? error.hint : undefined;
    process.stderr.write(`imaging: ${messageOf(error)}\n${hint ? `  ${hint}\n` : ''}`);
  }
  return code;
}

function flush(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.errored || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
