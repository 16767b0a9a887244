import { PassThrough, type Readable, type Writable } from 'node:stream';
import { INTERRUPTED_STATUS, type ProgramIo, type Programs } from './program.js';
import { parseCommandLine, type Command, type ListItem } from './shell-grammar.js';
import type { OpenShell, Shell, ShellListener } from './shell.js';

/**
 * Opens sessions with a tiny shell inside this process, for hundreds of nodes: simple commands with quotes and `$?`, joined
 * by `;`, `&&`, `||`, pipes and braces; `echo`, `true`, `false`, `:`, `set`, `exit` and the node's programs. No variables.
 */
export function builtinShell(programs: Programs): OpenShell {
  return (listener) => new BuiltinShell(programs, listener);
}

const PIPE_BYTES = 1 << 20;

class BuiltinShell implements Shell {
  readonly #programs: Programs;
  readonly #listener: ShellListener;
  #status = 0;
  #over = false;
  #running: AbortController | undefined;

  constructor(programs: Programs, listener: ShellListener) {
    this.#programs = programs;
    this.#listener = listener;
    queueMicrotask(() => this.#prompt());
  }

  line(text: string): void {
    const abort = new AbortController();
    this.#running = abort;
    this.#run(text, abort.signal).then(
      () => this.#prompt(),
      () => this.#end(), // nothing here rejects; a session that cannot go on ends
    );
  }

  interrupt(): void {
    this.#running?.abort(new Error('interrupted'));
  }

  kill(): void {
    this.#over = true;
    this.#running?.abort(new Error('the session is over'));
  }

  pause(): void {
    // it prints less than a socket buffers
  }

  resume(): void {
    // see pause()
  }

  #prompt(): void {
    this.#running = undefined;
    if (!this.#over) this.#listener.prompt();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.ended();
  }

  async #run(text: string, signal: AbortSignal): Promise<void> {
    const parsed = parseCommandLine(text);
    if (typeof parsed === 'string') {
      this.#print(`sh: ${parsed}\n`);
      this.#status = 2;
      return;
    }
    const stdin = new PassThrough();
    stdin.end();
    const [stdout, stderr] = [this.#screen(), this.#screen()];
    this.#status = await this.#list(parsed, this.#status, { stdin, stdout, stderr, signal });
    await new Promise((resolve) => setImmediate(resolve)); // what programs printed comes out before the next prompt
  }

  async #list(items: readonly ListItem[], statusBefore: number, io: ProgramIo): Promise<number> {
    let status = statusBefore;
    for (const { when, pipeline } of items) {
      if (this.#over) break;
      if ((when === 'success' && status !== 0) || (when === 'failure' && status === 0)) continue;
      status = io.signal.aborted ? INTERRUPTED_STATUS : await this.#pipeline(pipeline, status, io);
    }
    return status;
  }

  async #pipeline(commands: readonly Command[], statusBefore: number, io: ProgramIo): Promise<number> {
    let stdin: Readable = io.stdin;
    const statuses = commands.map((command, index) => {
      const from = stdin;
      const pipe = index + 1 < commands.length ? new PassThrough({ highWaterMark: PIPE_BYTES }) : null;
      if (pipe) stdin = pipe;
      return this.#command(command, statusBefore, { ...io, stdin: from, stdout: pipe ?? io.stdout }).finally(() => {
        pipe?.end();
        if (index > 0) from.resume(); // who writes to a program that has ended must not wait for ever
      });
    });
    return (await Promise.all(statuses)).at(-1) ?? 0;
  }

  async #command(command: Command, statusBefore: number, io: ProgramIo): Promise<number> {
    const stdout = command.hidesOutput ? nowhere() : io.stdout;
    const stderr = command.hidesErrors ? nowhere() : io.stderr;
    if (command.group) return this.#list(command.group, statusBefore, { ...io, stdout, stderr });
    const [name = '', ...args] = command.words.map((word) => word.replaceAll('\0', String(statusBefore)));
    switch (name) {
      case 'echo':
        stdout.write(Buffer.from(`${args.join(' ')}\n`, 'latin1'));
        return 0;
      case '':
      case ':':
      case 'true':
      case 'set':
        return 0;
      case 'false':
        return 1;
      case 'exit':
        await new Promise((resolve) => setImmediate(resolve));
        this.#end();
        return 0;
    }
    const program = this.#programs.get(name);
    if (program) return program(args, { ...io, stdout, stderr });
    stderr.write(`sh: ${name}: not found\n`);
    return 127;
  }

  #screen(): Writable {
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => this.#print(chunk.toString('latin1')));
    return stream;
  }

  #print(text: string): void {
    if (!this.#over && text !== '') this.#listener.output(Buffer.from(text, 'latin1'));
  }
}

function nowhere(): Writable {
  return new PassThrough().resume();
}
