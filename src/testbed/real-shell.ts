import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { Host } from '../util/host.js';
import type { Programs } from './program.js';
import { ProgramCall } from './program-call.js';
import { MOUNT_POINT } from './ramdisk.js';
import { MountPoints } from './mount-points.js';
import type { OpenShell, Shell, ShellListener } from './shell.js';
import { CALLS_FD, PROMPT_MARK, type ShellProgram } from './shell-program.js';

/** What the sessions of one node's real shell have in common. */
export type RealShellOptions = {
  host: Host;
  program: ShellProgram;
  programs: Programs;
  /** Since the ramdisk was booted. */
  uptimeSeconds: () => number;
  /** Each session starts in a folder of its own under this one, which goes with it. */
  folder: string;
  hostname: string;
  /** The file that is the node's disk: what its programs find under the name of the disk's device. */
  diskPath: string;
};

/**
 * Opens sessions with a real shell: it runs as whoever runs the testbed, in a process group of its own, with a small
 * toolbox as PATH.
 */
export function realShell(options: RealShellOptions): OpenShell {
  mkdirSync(options.folder, { recursive: true });
  return (listener) => new RealShell(options, listener);
}

class RealShell implements Shell {
  readonly #child: ChildProcess;
  readonly #listener: ShellListener;
  readonly #options: RealShellOptions;
  readonly #folder: string;
  readonly #mountPoints = new MountPoints();
  readonly #calls = new Map<string, ProgramCall>();
  readonly #stdin: Writable;
  readonly #stdout: Readable;
  /** `greeting`: its own start-up messages, never shown; `library`: it reads ours; then it serves. */
  #stage: 'greeting' | 'library' | 'serving' | 'over' = 'greeting';
  #held = '';
  #requests = '';
  #groupGone = false;

  constructor(options: RealShellOptions, listener: ShellListener) {
    this.#options = options;
    this.#listener = listener;
    this.#folder = mkdtempSync(join(options.folder, 'session-'));
    mkdirSync(join(this.#folder, MOUNT_POINT));
    this.#child = startShell(options, this.#folder);
    const [stdin, stdout, , requests] = this.#child.stdio;
    if (!(stdin instanceof Writable && stdout instanceof Readable && requests instanceof Readable))
      throw new Error('a shell without pipes');
    this.#stdin = stdin;
    this.#stdout = stdout;
    for (const pipe of [stdin, stdout, requests]) pipe.on('error', () => pipe.destroy());
    this.#child.on('error', () => this.#end());
    this.#child.on('exit', () => this.#killGroup()); // background jobs do not outlive their shell
    this.#child.on('close', () => this.#end());
    stdout.on('data', (chunk: Buffer) => this.#output(chunk.toString('latin1')));
    requests.on('data', (chunk: Buffer) => this.#request(chunk.toString('latin1')));
  }

  line(text: string): void {
    this.#stdin.write(Buffer.from(`${this.#mountPoints.lead(text)}\n`, 'latin1'));
  }

  interrupt(): void {
    for (const call of this.#calls.values()) call.interrupt();
    if (this.#calls.size === 0) this.#signalGroup('SIGINT');
  }

  kill(): void {
    if (this.#stage !== 'over') this.#cleanUp();
  }

  pause(): void {
    this.#stdout.pause();
  }

  resume(): void {
    this.#stdout.resume();
  }

  #output(text: string): void {
    this.#held += text;
    for (let at = this.#held.indexOf(PROMPT_MARK); at >= 0; at = this.#held.indexOf(PROMPT_MARK)) {
      const before = this.#held.slice(0, at);
      this.#held = this.#held.slice(at + PROMPT_MARK.length);
      this.#prompt(before);
      if (this.#stage === 'over') return;
    }
    const cut = this.#held.length - markBeginning(this.#held);
    this.#print(this.#held.slice(0, cut));
    this.#held = this.#held.slice(cut);
  }

  #prompt(before: string): void {
    if (this.#stage === 'greeting') {
      this.#stage = 'library';
      this.line(`. '${this.#options.program.library.replaceAll("'", `'\\''`)}'`);
      return;
    }
    this.#print(before);
    this.#stage = 'serving';
    this.#listener.prompt();
  }

  #print(text: string): void {
    if (this.#stage === 'serving' && text !== '') this.#listener.output(Buffer.from(text, 'latin1'));
  }

  /** `open FOLDER` or `run FOLDER`, one per line, from the functions of the library. */
  #request(text: string): void {
    const lines = (this.#requests + text).split('\n');
    this.#requests = (lines.pop() ?? '').slice(0, MAX_REQUEST_BYTES);
    for (const line of lines) {
      const [, verb, folder] = /^(open|run) (.+)$/.exec(line) ?? [];
      if (this.#stage === 'over' || folder === undefined || !folder.startsWith(this.#folder)) continue;
      if (verb === 'open') this.#open(folder);
      else this.#run(folder);
    }
  }

  #open(folder: string): void {
    try {
      this.#calls.set(folder, new ProgramCall(folder));
    } catch {
      this.#killGroup(); // it would wait for ever at the other end
    }
  }

  #run(folder: string): void {
    const call = this.#calls.get(folder);
    if (!call) return;
    const done = call.run((name) => this.#options.programs.get(name));
    void done.catch(() => this.#killGroup()).finally(() => this.#calls.delete(folder));
  }

  #end(): void {
    if (this.#stage === 'over') return;
    this.#print(this.#held);
    this.#cleanUp();
    this.#listener.ended();
  }

  #cleanUp(): void {
    this.#stage = 'over';
    for (const call of this.#calls.values()) call.kill();
    this.#killGroup();
    for (const pipe of this.#child.stdio) pipe?.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #killGroup(): void {
    this.#signalGroup('SIGKILL');
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) this.#groupGone = true;
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#groupGone) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // the group is already empty
    }
  }
}

const MAX_REQUEST_BYTES = 4096;

/** One pipe for both outputs, so that prompts and text keep their order; 3 moves out of the way of what is typed. */
function startShell({ host, program, hostname, uptimeSeconds, diskPath }: RealShellOptions, folder: string): ChildProcess {
  return host.spawn('/bin/sh', ['-c', `exec "$0" "$@" ${CALLS_FD}>&3 3>&- 2>&1`, program.command, ...program.args], {
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
    env: {
      PATH: program.toolbox,
      HOME: folder,
      USER: 'root',
      LOGNAME: 'root',
      HOSTNAME: hostname,
      TERM: 'dumb',
      LC_ALL: 'C',
      PS1: PROMPT_MARK,
      PS2: PROMPT_MARK,
      IMAGING_CALLS: folder,
      IMAGING_DISK: diskPath,
      IMAGING_TOOLS: program.diskTools,
      IMAGING_BOOTED: String(Math.ceil(Date.now() / 1000 - uptimeSeconds())),
    },
  });
}

/** How many characters at the end of `text` may be the beginning of a prompt mark. */
function markBeginning(text: string): number {
  for (let length = Math.min(PROMPT_MARK.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(PROMPT_MARK.slice(0, length))) return length;
  }
  return 0;
}
