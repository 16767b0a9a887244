import { PassThrough } from 'node:stream';
import { INTERRUPTED_STATUS, type Programs } from './program.js';
import { parseCommandLine, type Command } from './shell-grammar.js';
import type { OpenShell, Shell, ShellListener } from './shell.js';

/**
 * Opens sessions with a tiny shell inside this process, for hundreds of nodes: simple commands with quotes and `$?`, joined
 * by `;`, `&&` and `||`; `echo`, `true`, `false`, `:`, `set`, `exit` and the node's programs. No pipes, no variables.
 */
export function builtinShell(programs: Programs): OpenShell {
  return (listener) => new BuiltinShell(programs, listener);
}

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
    for (const { when, command } of parsed) {
      if (this.#over) return;
      if ((when === 'success' && this.#status !== 0) || (when === 'failure' && this.#status === 0)) continue;
      this.#status = signal.aborted ? INTERRUPTED_STATUS : await this.#command(command, signal);
    }
  }

  async #command(command: Command, signal: AbortSignal): Promise<number> {
    const [name = '', ...args] = command.words.map((word) => word.replaceAll('\0', String(this.#status)));
    const print = (text: string, hidden: boolean): void => {
      if (!hidden) this.#print(text);
    };
    switch (name) {
      case 'echo':
        print(`${args.join(' ')}\n`, command.hidesOutput);
        return 0;
      case '':
      case ':':
      case 'true':
      case 'set':
        return 0;
      case 'false':
        return 1;
      case 'exit':
        this.#end();
        return 0;
    }
    const program = this.#programs.get(name);
    if (!program) {
      print(`sh: ${name}: not found\n`, command.hidesErrors);
      return 127;
    }
    const stdin = new PassThrough();
    stdin.end();
    const [stdout, stderr] = [command.hidesOutput, command.hidesErrors].map((hidden) => {
      const stream = new PassThrough();
      stream.on('data', (chunk: Buffer) => print(chunk.toString('latin1'), hidden));
      return stream;
    });
    const status = await program(args, { stdin, stdout: stdout ?? new PassThrough(), stderr: stderr ?? new PassThrough(), signal });
    await new Promise((resolve) => setImmediate(resolve)); // what the program printed comes out before the next prompt
    return status;
  }

  #print(text: string): void {
    if (!this.#over && text !== '') this.#listener.output(Buffer.from(text, 'latin1'));
  }
}
