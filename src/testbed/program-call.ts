import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { messageOf } from '../util/errors.js';
import type { Program } from './program.js';

/**
 * One call of a program of ours from a shell, over the FIFOs `in`, `out` and `err` of a folder the shell made: the shell
 * says `open`, we open our ends without waiting (O_NONBLOCK, and read-write where a reader may come later), the shell
 * opens its own and says `run`. Its arguments are in `args`, NUL-separated; the exit status is left in `status`.
 */
export class ProgramCall {
  readonly #folder: string;
  readonly #stdin: Socket;
  readonly #stdout: Socket;
  readonly #stderr: Socket;
  readonly #abort = new AbortController();

  constructor(folder: string) {
    this.#folder = folder;
    const opened: number[] = [];
    try {
      opened.push(openSync(join(folder, 'in'), constants.O_RDONLY | constants.O_NONBLOCK));
      for (const name of ['out', 'err']) opened.push(openSync(join(folder, name), constants.O_RDWR | constants.O_NONBLOCK));
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      throw error;
    }
    const [stdin, stdout, stderr] = opened;
    this.#stdin = new Socket({ fd: stdin ?? -1, readable: true, writable: false });
    this.#stdout = new Socket({ fd: stdout ?? -1, readable: false, writable: true });
    this.#stderr = new Socket({ fd: stderr ?? -1, readable: false, writable: true });
    for (const pipe of [this.#stdin, this.#stdout, this.#stderr]) pipe.on('error', () => pipe.destroy());
  }

  /** Runs the program and hands its status to the shell. `find` looks a program up by name. */
  async run(find: (name: string) => Program | undefined): Promise<void> {
    let status: number;
    try {
      const [name = '', ...args] = readFileSync(join(this.#folder, 'args'), 'latin1').split('\0').slice(0, -1);
      const io = { stdin: this.#stdin, stdout: this.#stdout, stderr: this.#stderr, signal: this.#abort.signal };
      status = (await find(name)?.(args, io)) ?? 127;
    } catch (error) {
      status = 1;
      if (!this.#stderr.destroyed) this.#stderr.write(`${messageOf(error)}\n`);
    }
    this.#stdin.destroy();
    if (this.#abort.signal.reason === GONE) return;
    writeFileSync(join(this.#folder, 'status'), `${status}\n`); // before the ends of the streams, after which the shell reads it
    for (const pipe of [this.#stdout, this.#stderr]) pipe.end();
    await Promise.allSettled([finished(this.#stdout), finished(this.#stderr)]);
    for (const pipe of [this.#stdout, this.#stderr]) pipe.destroy();
  }

  /** Ctrl-C: the program is told to stop, and the shell gets its status. */
  interrupt(): void {
    this.#abort.abort(new Error('interrupted'));
  }

  /** The shell is gone. */
  kill(): void {
    this.#abort.abort(GONE);
    for (const pipe of [this.#stdin, this.#stdout, this.#stderr]) pipe.destroy();
  }
}

const GONE = new Error('the session is over');
